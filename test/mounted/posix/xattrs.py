"""Cases on extended attributes."""
import os

from suite import case, create, equal, fails, in_child, opened, require_root


@case
def attributes_are_set_read_listed_and_removed(directory):
    os.symlink(b"x", directory + b"/link")
    for name in (create(directory + b"/file"), directory):
        os.setxattr(name, b"user.a", b"1")
        os.setxattr(name, b"user.b", b"")
        os.setxattr(name, b"user.a", b"2\0\xff", os.XATTR_REPLACE)
        equal(os.getxattr(name, b"user.a"), b"2\0\xff")
        equal(os.getxattr(name, b"user.b"), b"")
        equal(sorted(x for x in os.listxattr(name) if x.startswith("user.")), ["user.a", "user.b"])
        with fails("EEXIST"):
            os.setxattr(name, b"user.a", b"3", os.XATTR_CREATE)
        with fails("ENODATA"):
            os.setxattr(name, b"user.c", b"3", os.XATTR_REPLACE)
        os.removexattr(name, b"user.a")
        for missing in (os.getxattr, os.removexattr):
            with fails("ENODATA"):
                missing(name, b"user.a")
    with fails("EPERM"):
        os.setxattr(directory + b"/link", b"user.a", b"1", follow_symlinks=False)


@case
def values_up_to_64_kib_and_names_up_to_255_bytes(directory):
    name = create(directory + b"/a")
    value = os.urandom(65536)
    try:
        os.setxattr(name, b"user.large", value)
    except OSError as error:
        # ext4 without ea_inode has room for a block.
        equal(error.strerror, os.strerror(28))
    else:
        equal(os.getxattr(name, b"user.large"), value)
    with fails("E2BIG"):
        os.setxattr(name, b"user.large", value + b"x")
    longest = b"user." + b"n" * 250
    os.setxattr(name, longest, b"v")
    equal(os.getxattr(name, longest), b"v")
    with fails("ERANGE"):
        os.setxattr(name, longest + b"n", b"v")
    os.unlink(name)


@case
def a_namespace_alone_is_no_name(directory):
    require_root()
    name = create(directory + b"/a")
    for namespace in (b"user.", b"trusted.", b"security."):
        with fails("EINVAL"):
            os.setxattr(name, namespace, b"v")
        with fails("EINVAL"):
            os.getxattr(name, namespace)


@case
def trusted_names_are_listed_to_the_privileged_only(directory):
    require_root()
    name = create(directory + b"/a")
    os.chmod(directory, 0o755)
    os.setxattr(name, b"trusted.x", b"")
    os.setxattr(name, b"user.x", b"")

    def listed():
        return sorted(x for x in os.listxattr(name) if x.endswith(".x"))

    equal(listed(), ["trusted.x", "user.x"])
    in_child(lambda: equal(listed(), ["user.x"]), uid=1234)


@case
def all_namespaces(directory):
    require_root()
    name = create(directory + b"/a")
    os.chmod(directory, 0o755)
    for attribute in (b"user.x", b"trusted.x", b"security.x"):
        os.setxattr(name, attribute, attribute)
        equal(os.getxattr(name, attribute), attribute)
    with fails("EOPNOTSUPP"):
        os.setxattr(name, b"other.x", b"")

    def stranger():
        equal(os.getxattr(name, b"user.x"), b"user.x")
        with fails("ENODATA", "EPERM"):
            os.getxattr(name, b"trusted.x")
        with fails("EACCES"):
            os.setxattr(name, b"user.x", b"2")
        with fails("EPERM"):
            os.setxattr(name, b"security.x", b"2")

    in_child(stranger, uid=1234)


@case
def many_attributes(directory):
    name = create(directory + b"/a")
    count = 50
    for number in range(count):
        os.setxattr(name, b"user.%d" % number, b"%d" % number * 10)
    equal(len([x for x in os.listxattr(name) if x.startswith("user.")]), count)
    os.link(name, directory + b"/b")
    os.rename(name, directory + b"/c")
    for number in range(0, count, 2):
        os.removexattr(directory + b"/b", b"user.%d" % number)
    for number in range(1, count, 2):
        equal(os.getxattr(directory + b"/c", b"user.%d" % number), b"%d" % number * 10)


@case
def writing_clears_file_capabilities(directory):
    require_root()
    # A version 2 capability set of nothing (capabilities(7), struct vfs_cap_data).
    capability = bytes([0, 0, 0, 2]) + bytes(16)
    for change in (b"write", b"chown"):
        name = create(directory + b"/" + change, b"x")
        os.setxattr(name, b"security.capability", capability)
        if change == b"write":
            with opened(name) as fd:
                os.write(fd, b"y")
        else:
            os.chown(name, 1234, 1234)
        with fails("ENODATA"):
            os.getxattr(name, b"security.capability")
    os.setxattr(directory, b"security.capability", capability)
    os.chown(directory, 1234, 1234)
    equal(os.getxattr(directory, b"security.capability"), capability, "directories keep them")
