"""Cases on access control lists (acl(5)), as the attributes in which setfacl(1) keeps them."""
import os
import stat
import struct

from suite import case, create, equal, fails, in_child, read, require_root

ACCESS = b"system.posix_acl_access"
DEFAULT = b"system.posix_acl_default"
# Tags of linux/posix_acl.h, and the id of entries that have none.
OWNER, USER, GROUP_OWNER, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
NO_ID = 0xFFFFFFFF

ALICE, BOB, TEAM = 1001, 1002, 2001


def acl(*entries):
    """A list of (tag, permissions) or (tag, permissions, id)."""
    return struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", entry[0], entry[1], entry[2] if len(entry) > 2 else NO_ID) for entry in entries)


def permissions(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


FOR_ALICE = acl((OWNER, 6), (USER, 6, ALICE), (GROUP_OWNER, 0), (MASK, 6), (OTHER, 0))


@case
def a_list_admits_users_and_groups_by_name(directory):
    require_root()
    name = create(directory + b"/a", b"content", 0o600)
    os.setxattr(name, ACCESS, acl((OWNER, 6), (USER, 4, ALICE), (GROUP_OWNER, 0), (GROUP, 2, TEAM), (MASK, 6), (OTHER, 0)))
    equal(permissions(name), 0o660, "the group's bits are the mask")

    def alice():
        equal(read(name), b"content")
        with fails("EACCES"):
            os.open(name, os.O_WRONLY)

    def bob():
        with fails("EACCES"):
            os.open(name, os.O_RDONLY)

    def teammate():
        os.close(os.open(name, os.O_WRONLY))
        with fails("EACCES"):
            os.open(name, os.O_RDONLY)

    in_child(alice, uid=ALICE)
    in_child(bob, uid=BOB)
    in_child(teammate, uid=BOB, gid=TEAM)


@case
def chmod_changes_the_mask(directory):
    require_root()
    name = create(directory + b"/a", b"content", 0o600)
    os.setxattr(name, ACCESS, FOR_ALICE)
    os.chmod(name, 0o640)
    equal(os.getxattr(name, ACCESS), acl((OWNER, 6), (USER, 6, ALICE), (GROUP_OWNER, 0), (MASK, 4), (OTHER, 0)))

    def alice():
        equal(read(name), b"content")
        with fails("EACCES"):
            os.open(name, os.O_WRONLY)

    in_child(alice, uid=ALICE)
    os.chmod(name, 0o600)

    def alice_is_out():
        with fails("EACCES"):
            os.open(name, os.O_RDONLY)

    in_child(alice_is_out, uid=ALICE)


@case
def a_list_without_names_becomes_the_mode(directory):
    name = create(directory + b"/a", b"", 0o600)
    for before in (None, FOR_ALICE):
        if before is not None:
            os.setxattr(name, ACCESS, before)
        os.setxattr(name, ACCESS, acl((OWNER, 7), (GROUP_OWNER, 5), (OTHER, 1)))
        equal(permissions(name), 0o751)
        with fails("ENODATA"):
            os.getxattr(name, ACCESS)
        equal([x for x in os.listxattr(name) if x.startswith("system.")], [])


@case
def a_list_that_is_not_there_can_be_removed(directory):
    name = create(directory + b"/a")
    os.removexattr(name, ACCESS)
    os.removexattr(directory, ACCESS)
    os.removexattr(directory, DEFAULT)


@case
def a_directory_passes_its_default_list_on(directory):
    default = acl((OWNER, 7), (USER, 7, ALICE), (GROUP_OWNER, 5), (MASK, 7), (OTHER, 0))
    os.setxattr(directory, DEFAULT, default)
    os.umask(0o077)
    try:
        file = create(directory + b"/file", b"", 0o666)
        os.mkdir(directory + b"/sub", 0o777)
        os.symlink(b"x", directory + b"/link")
        below = create(directory + b"/sub/file", b"", 0o640)
    finally:
        os.umask(0o022)
    equal(permissions(file), 0o660, "the list takes the place of the umask")
    equal(os.getxattr(file, ACCESS), acl((OWNER, 6), (USER, 7, ALICE), (GROUP_OWNER, 5), (MASK, 6), (OTHER, 0)))
    with fails("ENODATA"):
        os.getxattr(file, DEFAULT)
    equal(os.getxattr(directory + b"/sub", DEFAULT), default)
    equal(os.getxattr(directory + b"/sub", ACCESS), default)
    equal(permissions(below), 0o640)
    equal(os.listxattr(directory + b"/link", follow_symlinks=False), [])


@case
def only_directories_have_default_lists(directory):
    name = create(directory + b"/a")
    with fails("EACCES"):
        os.setxattr(name, DEFAULT, FOR_ALICE)
    with fails("EINVAL"):
        os.setxattr(name, ACCESS, acl((OWNER, 6), (USER, 6, ALICE), (GROUP_OWNER, 0), (OTHER, 0)))
    with fails("EINVAL"):
        os.setxattr(name, ACCESS, b"\1\2\3")


@case
def only_the_owner_changes_lists(directory):
    require_root()
    os.chmod(directory, 0o777)
    name = create(directory + b"/a", b"", 0o666)
    os.chown(name, ALICE, TEAM)
    os.chmod(name, 0o2775)

    def bob():
        with fails("EPERM"):
            os.setxattr(name, ACCESS, FOR_ALICE)

    def alice():
        os.setxattr(name, ACCESS, FOR_ALICE)
        os.removexattr(name, ACCESS)

    in_child(bob, uid=BOB)
    in_child(alice, uid=ALICE)
    equal(permissions(name) & stat.S_ISGID, 0, "setgid is lost to an owner who is not in the group")


@case
def lists_stay_with_the_inode(directory):
    name = create(directory + b"/a")
    os.setxattr(name, ACCESS, FOR_ALICE)
    os.link(name, directory + b"/b")
    os.rename(name, directory + b"/c")
    equal(os.getxattr(directory + b"/b", ACCESS), FOR_ALICE)
    os.removexattr(directory + b"/c", ACCESS)
    with fails("ENODATA"):
        os.getxattr(directory + b"/b", ACCESS)
    equal(permissions(directory + b"/b"), 0o660, "removing a list leaves the mode")
