// Loaded with --import: the watcher never fires, or fails as it does where inotify is used up.
import { EventEmitter } from 'node:events'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const isFull = process.env.TORTURE_WATCHER === 'ENOSPC'
fs.watch = () => {
  if (isFull)
    throw Object.assign(new Error('ENOSPC: System limit for number of file watchers reached'), {
      code: 'ENOSPC',
    })
  return Object.assign(new EventEmitter(), { close() {}, ref() {}, unref() {} })
}
fs.watchFile = () => new EventEmitter()
syncBuiltinESMExports()
