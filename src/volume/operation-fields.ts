/**
 * Fields that operations of several kinds have in the log.
 */
import { asIno, type Ino } from '../store/units.js';
import type { FieldReader, FieldWriter } from '../wal/record.js';
import type { Timestamp } from './inode.js';

export function writeTime(out: FieldWriter, time: Timestamp): void {
  out.i64(time.seconds);
  out.u32(time.nanoseconds);
}

export const writeText = (out: FieldWriter, text: string): void => out.bytes(Buffer.from(text, 'utf8'));

export const readTime = (fields: FieldReader): Timestamp => ({ seconds: fields.i64(), nanoseconds: fields.u32() });
export const readIno = (fields: FieldReader): Ino => asIno(fields.i64());
export const readText = (fields: FieldReader): string => Buffer.from(fields.bytes()).toString('utf8');
