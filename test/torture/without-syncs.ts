import { type FileSystem, nodeFileSystem } from '../../src/journal/file-system.js'

/** Where what is tested is on the disk already: thousands of syncs would prove nothing more. */
export const withoutSyncs: FileSystem = {
  ...nodeFileSystem,
  fsyncSync: () => {},
  fsync: ((_: number, done: (error: null) => void) => done(null)) as never,
  fdatasync: ((_: number, done: (error: null) => void) => done(null)) as never,
}
