# Changes names without pause in a new directory until a file appears, checks each step, and prints how many rounds that were and
# how many seconds the longest took.
#
#     changes.py DIRECTORY END-FILE
import os, sys, time
base, end, count, longest = sys.argv[1], sys.argv[2], 0, 0
os.mkdir(base)
while not os.path.exists(end):
    began = time.monotonic()
    path = '%s/%d' % (base, count)
    with open(path, 'xb') as file: file.write(b'%d' % count * 500)
    os.link(path, path + '.link')
    os.rename(path, path + '.renamed')
    os.mkdir(path)
    os.symlink('target', path + '.symlink')
    os.setxattr(path + '.renamed', 'user.count', b'%d' % count, os.XATTR_CREATE)
    with open(path + '.link', 'rb') as file: assert file.read() == b'%d' % count * 500
    os.unlink(path + '.link')
    os.removexattr(path + '.renamed', 'user.count')
    os.rmdir(path)
    longest = max(longest, time.monotonic() - began)
    count += 1
print(count, longest)
