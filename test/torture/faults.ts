import type { Fault } from './fault.js'
import { archiveKilled, pruneKilled } from './faults/archive.js'
import { bulk } from './faults/bulk.js'
import { cut, flip, flipProjected } from './faults/bytes.js'
import { clients } from './faults/clients.js'
import { database, databaseDisk, removed, segment } from './faults/damage.js'
import { disk, fullDisk, sync } from './faults/disk.js'
import { boundaries, hostLost, rivalsKilled } from './faults/fleet-hosts.js'
import {
  failover,
  requestsLocked,
  serverAway,
  serverDisk,
  serverKilled,
  serverRestored,
} from './faults/fleet-server.js'
import {
  descriptors,
  journalAway,
  log,
  mount,
  partialRestore,
  permissions,
  temporaryFull,
} from './faults/host.js'
import { clock, hostile } from './faults/input.js'
import { kill, killAppend, killLong } from './faults/kill.js'
import { powerCut } from './faults/power-cut.js'
import { contenders, fullSpeed, reader, replayKilled, watcher } from './faults/processes.js'
import { proxyKilled } from './faults/proxy.js'

/** Those that damage files or ports in this process. */
export const FAULTS_IN_PROCESS: Fault[] = [
  cut,
  flip,
  flipProjected,
  disk,
  fullDisk,
  sync,
  powerCut,
  clock,
  clients,
]

/** Those that start, kill and starve the built program. */
export const FAULTS_OF_PROCESSES: Fault[] = [
  kill,
  killLong,
  killAppend,
  replayKilled,
  bulk,
  fullSpeed,
  contenders,
  reader,
  database,
  databaseDisk,
  segment,
  removed,
  archiveKilled,
  pruneKilled,
  watcher,
  hostile,
  journalAway,
  permissions,
  descriptors,
  mount,
  log,
  partialRestore,
  temporaryFull,
  proxyKilled,
]

/** Those of many hosts that share a PostgreSQL server. */
export const FAULTS_OF_FLEETS: Fault[] = [
  serverKilled,
  serverRestored,
  failover,
  serverAway,
  serverDisk,
  requestsLocked,
  rivalsKilled,
  hostLost,
  boundaries,
]

/** Every class, in the order of the table. */
export const FAULTS: Fault[] = [...FAULTS_OF_PROCESSES, ...FAULTS_IN_PROCESS, ...FAULTS_OF_FLEETS]
