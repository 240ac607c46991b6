import { readIdentity } from '../../src/journal/journal-identity.js'
import { CatchUp, type CatchUpOptions } from '../../src/projection/catch-up.js'
import { SqliteStore } from '../../src/store/sqlite/sqlite-store.js'
import type { Workspace } from './workspace.js'

/** Lends what a projector keeps between two looks, so that a test decides when it looks. */
export async function withCatchUp(
  { journal, database }: Workspace,
  options: Pick<CatchUpOptions, 'backlogFromBytes'>,
  use: (catchUp: CatchUp) => Promise<void>,
): Promise<void> {
  const store = new SqliteStore(database, { purpose: 'project' })
  try {
    const identity = readIdentity(journal)
    const catchUp = await CatchUp.start({ directory: journal, identity, store, ...options })
    try {
      await use(catchUp)
    } finally {
      catchUp.close()
    }
  } finally {
    store.close()
  }
}
