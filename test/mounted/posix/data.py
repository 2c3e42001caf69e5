"""Cases on the data of files: appending, holes, allocation, copying, direct and synchronous input and output."""
import mmap
import os

from suite import (
    FALLOC_FL_COLLAPSE_RANGE,
    FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_PUNCH_HOLE,
    FALLOC_FL_ZERO_RANGE,
    Skip,
    case,
    check,
    create,
    equal,
    fails,
    fallocate,
    fork_all,
    in_child,
    opened,
    read,
    require_root,
    write_all,
)

KIB = 1024
MIB = 1024 * KIB
TIB = 1024 * 1024 * MIB


@case
def several_writers_append_whole_records(directory):
    name = create(directory + b"/log")
    writers, records = 4, 200

    def write_records(writer):
        with opened(name, os.O_WRONLY | os.O_APPEND) as fd:
            for number in range(records):
                equal(os.write(fd, b"%d %06d %s\n" % (writer, number, b"x" * (writer * 37))), 10 + writer * 37)

    fork_all([lambda writer=writer: write_records(writer) for writer in range(writers)])
    lines = read(name).split(b"\n")[:-1]
    for writer in range(writers):
        own = [line for line in lines if line.startswith(b"%d " % writer)]
        equal(own, [b"%d %06d %s" % (writer, number, b"x" * (writer * 37)) for number in range(records)], "records")
    equal(len(lines), writers * records, "number of records")


@case
def appending_ignores_the_position(directory):
    name = create(directory + b"/a", b"0123")
    with opened(name, os.O_RDWR | os.O_APPEND) as fd:
        os.lseek(fd, 0, os.SEEK_SET)
        os.write(fd, b"45")
        equal(os.lseek(fd, 0, os.SEEK_CUR), 6, "position after appending")
        os.ftruncate(fd, 2)
        os.write(fd, b"ab")
    equal(read(name), b"01ab")


@case
def appends_in_small_pieces_grow_past_what_is_small(directory):
    name = create(directory + b"/a")
    piece = bytes(range(251))
    with opened(name, os.O_WRONLY | os.O_APPEND) as fd:
        for _ in range(1000):
            os.write(fd, piece)
    equal(read(name), piece * 1000)


@case
def truncation_cuts_and_extends_with_zeros(directory):
    for size in (10, 5000, 100_000, 3 * MIB):
        name = create(directory + b"/%d" % size, b"x" * size)
        os.truncate(name, size // 2 + 1)
        os.truncate(name, size)
        equal(read(name), b"x" * (size // 2 + 1) + b"\0" * (size - size // 2 - 1), f"size {size}")
        os.truncate(name, 0)
        os.truncate(name, size)
        equal(read(name), b"\0" * size, f"emptied and extended to {size}")


@case
def o_trunc_empties_and_keeps_the_inode(directory):
    name = create(directory + b"/a", b"x" * 100_000)
    before = os.stat(name)
    with opened(name, os.O_WRONLY | os.O_TRUNC):
        after = os.stat(name)
    equal((after.st_size, after.st_blocks, after.st_ino), (0, 0, before.st_ino))


@case
def a_sparse_file_of_terabytes(directory):
    name = directory + b"/sparse"
    offsets = [0, 3 * TIB + 12345, 9 * TIB]
    with opened(name, os.O_RDWR | os.O_CREAT) as fd:
        for offset in offsets:
            equal(os.pwrite(fd, b"here %d" % offset, offset), len(b"here %d" % offset))
        os.fsync(fd)
        for offset in offsets:
            equal(os.pread(fd, 100, offset)[:20].rstrip(b"\0"), b"here %d" % offset)
        equal(os.pread(fd, 10, 5 * TIB), b"\0" * 10)
        stat = os.fstat(fd)
        equal(stat.st_size, 9 * TIB + len(b"here %d" % offsets[2]))
        check(stat.st_blocks * 512 < MIB, f"{stat.st_blocks} blocks")


@case
def the_largest_size_is_refused_with_efbig(directory):
    name = create(directory + b"/a")
    with opened(name) as fd:
        with fails("EFBIG", "EINVAL"):
            os.ftruncate(fd, 2**63 - 1)
        equal(os.fstat(fd).st_size, 0)
    with opened(create(directory + b"/b")) as fd, fails("EFBIG", "EINVAL"):
        # A cache of writes may take it, and then fsync says so at the latest.
        os.pwrite(fd, b"x", 2**63 - 2)
        os.fsync(fd)


@case
def seek_data_and_seek_hole_agree_with_the_content(directory):
    name = directory + b"/a"
    places = [MIB, 5 * MIB, 6 * MIB]
    with opened(name, os.O_RDWR | os.O_CREAT) as fd:
        for place in places:
            os.pwrite(fd, b"d" * 64 * KIB, place)
        os.ftruncate(fd, 8 * MIB)
        os.fsync(fd)
        position, extents = 0, []
        while True:
            try:
                start = os.lseek(fd, position, os.SEEK_DATA)
            except OSError:
                break
            position = os.lseek(fd, start, os.SEEK_HOLE)
            extents.append((start, position))
        for place in places:
            check(any(start <= place and place + 64 * KIB <= end for start, end in extents), f"{place} in {extents}")
        check(sum(end - start for start, end in extents) <= 3 * 128 * KIB, f"little data in {extents}")
        equal(os.lseek(fd, 8 * MIB - 1, os.SEEK_HOLE), 8 * MIB - 1)
        with fails("ENXIO"):
            os.lseek(fd, 8 * MIB, os.SEEK_DATA)
        with fails("ENXIO"):
            os.lseek(fd, 8 * MIB, os.SEEK_HOLE)
        with fails("ENXIO"):
            os.lseek(fd, 7 * MIB, os.SEEK_DATA)


@case
def seeking_before_the_beginning_is_enxio(directory):
    with opened(create(directory + b"/a", b"x" * 100)) as fd:
        for whence in (os.SEEK_DATA, os.SEEK_HOLE):
            with fails("ENXIO"):
                os.lseek(fd, -1, whence)


@case
def seek_data_sees_what_was_just_written(directory):
    with opened(directory + b"/a", os.O_RDWR | os.O_CREAT) as fd:
        os.ftruncate(fd, 4 * MIB)
        os.pwrite(fd, b"x", 2 * MIB)
        start = os.lseek(fd, 0, os.SEEK_DATA)
        check(start <= 2 * MIB < os.lseek(fd, start, os.SEEK_HOLE), "the byte is in the data")


@case
def fallocate_allocates_and_grows(directory):
    with opened(directory + b"/a", os.O_RDWR | os.O_CREAT) as fd:
        fallocate(fd, 0, 0, MIB)
        stat = os.fstat(fd)
        equal(stat.st_size, MIB)
        check(stat.st_blocks * 512 >= MIB, f"only {stat.st_blocks} blocks")
        equal(os.pread(fd, MIB + 1, 0), b"\0" * MIB)
        fallocate(fd, FALLOC_FL_KEEP_SIZE, MIB, MIB)
        stat = os.fstat(fd)
        equal(stat.st_size, MIB)
        check(stat.st_blocks * 512 >= 2 * MIB, f"only {stat.st_blocks} blocks kept")
        with fails("EINVAL"):
            fallocate(fd, 0, 0, 0)
        with fails("EOPNOTSUPP", "EINVAL"):
            fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 4096)


@case
def fallocate_keeps_what_is_there(directory):
    for size in (100, 200_000):
        name = create(directory + b"/%d" % size, b"x" * size)
        with opened(name) as fd:
            fallocate(fd, 0, 0, MIB)
        equal(read(name), b"x" * size + b"\0" * (MIB - size), f"size {size}")


@case
def punching_a_hole_frees_and_zeroes(directory):
    for size in (3000, MIB):
        name = create(directory + b"/%d" % size, b"x" * size)
        start, end = size // 4 + 1, size // 2 + 3
        with opened(name) as fd:
            os.fsync(fd)
            before = os.fstat(fd).st_blocks
            fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, end - start)
            equal(os.pread(fd, size, 0), b"x" * start + b"\0" * (end - start) + b"x" * (size - end), f"size {size}")
            equal(os.fstat(fd).st_size, size)
            check(size < MIB or os.fstat(fd).st_blocks < before, "blocks are freed")
            fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, size - 10, 1000)
            # More than a file of the host can have.
            fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, size - 10, 2**52)
        equal(read(name)[-11:], b"x" + b"\0" * 10, "a hole across the end")
        equal(os.stat(name).st_size, size)


@case
def zeroing_a_range(directory):
    for size in (3000, MIB):
        name = create(directory + b"/%d" % size, b"x" * size)
        with opened(name) as fd:
            fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, size - 100, 1000)
            equal(os.fstat(fd).st_size, size, "kept size")
            fallocate(fd, FALLOC_FL_ZERO_RANGE, size - 200, 1000)
            equal(os.fstat(fd).st_size, size + 800, "grown size")
        equal(read(name), b"x" * (size - 200) + b"\0" * 1000, f"size {size}")


@case
def unsupported_fallocate_modes_are_refused(directory):
    name = create(directory + b"/a", b"x" * 8192)
    with opened(name) as fd:
        try:
            fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4096)
            equal(os.fstat(fd).st_size, 4096, "collapsed")
        except OSError as error:
            check(error.strerror == os.strerror(95), f"refused with {error}")
            equal(read(name), b"x" * 8192)
    with opened(name, os.O_RDONLY) as fd, fails("EBADF"):
        fallocate(fd, 0, 0, 4096)


@case
def copy_file_range_copies_within_and_across_files(directory):
    content = os.urandom(3 * MIB + 17)
    source, target = create(directory + b"/from", content), create(directory + b"/to")
    with opened(source) as origin, opened(target) as copy:
        position = 0
        while position < len(content):
            count = os.copy_file_range(origin, copy, len(content), position, position)
            check(count > 0, "progress")
            position += count
        equal(os.copy_file_range(origin, copy, 100, len(content), 0), 0, "at the end")
        equal(read(target), content)
        equal(os.copy_file_range(copy, copy, 1000, 0, MIB), 1000, "within one file")
        with fails("EINVAL"):
            os.copy_file_range(copy, copy, 1000, 0, 500)
    equal(read(target)[MIB:MIB + 1000], content[:1000])


@case
def copy_file_range_sees_what_was_just_written(directory):
    with opened(directory + b"/from", os.O_RDWR | os.O_CREAT) as origin:
        with opened(directory + b"/to", os.O_RDWR | os.O_CREAT) as copy:
            os.write(origin, b"fresh")
            os.write(copy, b"old old old")
            equal(os.copy_file_range(origin, copy, 5, 0, 4), 5)
            equal(os.pread(copy, 100, 0), b"old freshld")


@case
def direct_and_synchronous_io(directory):
    name = directory + b"/direct"
    page = mmap.mmap(-1, 8192)
    page.write(b"d" * 8192)
    try:
        fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_DIRECT)
    except OSError as error:
        raise Skip(f"no O_DIRECT: {error}") from error
    try:
        for number in range(4):
            equal(os.pwrite(fd, page, number * 8192), 8192)
        back = mmap.mmap(-1, 8192)
        equal(os.preadv(fd, [back], 8192), 8192)
        equal(back[:], b"d" * 8192)
    finally:
        os.close(fd)
    with opened(name, os.O_WRONLY | os.O_SYNC) as fd:
        os.pwrite(fd, b"s" * 100, 4000)
    with opened(name, os.O_WRONLY | os.O_DSYNC | os.O_APPEND) as fd:
        os.write(fd, b"end")
        os.fdatasync(fd)
    equal(read(name), b"d" * 4000 + b"s" * 100 + b"d" * (4 * 8192 - 4100) + b"end")


@case
def direct_and_buffered_io_see_each_other(directory):
    name = create(directory + b"/a", b"b" * 16384)
    page = mmap.mmap(-1, 4096)
    page.write(b"d" * 4096)
    with opened(name) as buffered, opened(name, os.O_RDWR | os.O_DIRECT) as direct:
        os.pwrite(buffered, b"c" * 4096, 4096)
        back = mmap.mmap(-1, 4096)
        os.preadv(direct, [back], 4096)
        equal(back[:], b"c" * 4096, "direct after buffered")
        os.pwrite(direct, page, 0)
        equal(os.pread(buffered, 4096, 0), b"d" * 4096, "buffered after direct")


@case
def writing_and_truncating_clear_setuid_and_setgid(directory):
    require_root()

    def cleared(change, name, size=0):
        create(name, b"x" * size)
        os.chown(name, 1234, 1234)
        os.chmod(name, 0o6777)
        in_child(lambda: change(name), uid=1234)
        equal(oct(os.stat(name).st_mode & 0o7777), oct(0o777), change.__name__)

    def by_write(name):
        with opened(name) as fd:
            os.write(fd, b"y")

    def by_truncate(name):
        os.truncate(name, 3)

    def by_fallocate(name):
        with opened(name) as fd:
            fallocate(fd, 0, 0, 8192)

    def by_punching_beyond_the_end(name):
        with opened(name) as fd:
            fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1_000_000, 8192)

    os.chmod(directory, 0o777)
    for size in (0, 10, 100_000):
        for change in (by_write, by_truncate, by_fallocate, by_punching_beyond_the_end):
            cleared(change, directory + b"/%s-%d" % (change.__name__.encode(), size), size)


@case
def a_file_of_many_random_writes(directory):
    import random

    seed = int.from_bytes(os.urandom(4), "big")
    generator = random.Random(seed)
    model = bytearray()
    name = directory + b"/a"
    with opened(name, os.O_RDWR | os.O_CREAT) as fd:
        for step in range(400):
            roll = generator.randrange(10)
            place = generator.randrange(300_000)
            length = generator.randrange(1, 20_000)
            if roll < 6:
                piece = generator.randbytes(length)
                os.pwrite(fd, piece, place)
                model.extend(b"\0" * (place + length - len(model)))
                model[place:place + length] = piece
            elif roll < 7:
                os.ftruncate(fd, place)
                del model[place:]
                model.extend(b"\0" * (place - len(model)))
            elif roll < 8 and model:
                fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, place, length)
                end = min(place + length, len(model))
                if end > place:
                    model[place:end] = b"\0" * (end - place)
            elif roll < 9:
                os.fsync(fd)
            else:
                equal(os.pread(fd, length, place), bytes(model[place:place + length]), f"seed {seed}, step {step}")
        equal(os.fstat(fd).st_size, len(model), f"seed {seed}, size")
    equal(read(name) == bytes(model), True, f"seed {seed}, content")


@case
def large_writes_and_reads(directory):
    content = os.urandom(MIB) * 24
    with opened(directory + b"/a", os.O_RDWR | os.O_CREAT) as fd:
        write_all(fd, content)
        equal(os.fstat(fd).st_size, len(content))
    equal(read(directory + b"/a") == content, True, "content")
