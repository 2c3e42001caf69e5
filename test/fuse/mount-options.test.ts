import t from 'tap';
import { parseMountOptions } from '../../src/fuse/mount-options.js';

t.test('words are understood, and the last one counts', (t) => {
  t.match(parseMountOptions(''), { readOnly: false, accessTime: undefined, suid: undefined, allowOther: undefined });
  t.match(parseMountOptions('ro,noatime,nosuid,nodev,noexec,sync,dirsync,writethrough,allow_other,nonempty'), {
    readOnly: true,
    accessTime: 'noatime',
    suid: false,
    dev: false,
    exec: false,
    sync: true,
    dirsync: true,
    writethrough: true,
    allowOther: true,
    nonempty: true,
  });
  t.match(parseMountOptions('ro,rw, strictatime ,relatime,,defaults'), { readOnly: false, accessTime: 'relatime' });
  t.match(parseMountOptions('fsname=a=b,max_read=65536'), { fsname: 'a=b', maxRead: 65536 });
  t.match(parseMountOptions('noauto,user,_netdev,x-systemd.automount,comment=mine'), { readOnly: false });
  t.end();
});

t.test('a word that is not known is named, with those that are', (t) => {
  for (const words of ['rw,noatme', 'fsname=', 'max_read=-1', 'max_read=many']) {
    t.throws(() => parseMountOptions(words), { code: 'mount-option', advice: /noatime.*fsname=NAME/ });
  }
  t.throws(() => parseMountOptions('rw,noatme'), { message: 'The mount option "noatme" is not known.' });
  t.end();
});
