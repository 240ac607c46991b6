import { resolve } from 'node:path'
import { type JournalIdentity, readIdentity } from '../../journal/journal-identity.js'
import { checkJournal } from '../../projection/segments/segment-check.js'
import { asStoreError } from '../../store/open-store.js'
import { Snapshot } from './snapshot.js'
import { JournalPass, type VerifyProgress } from './verify-pass.js'
import type { VerifyProblem } from './verify-problems.js'

export interface VerifyOptions {
  /** The journal's directory. */
  journal: string
  /**
   * The database file, or a `postgres://` address.
   * @default none: the journal is checked alone, as it is if the file doesn't exist
   */
  database?: string | undefined
  /**
   * The schema of the tables in PostgreSQL.
   * @default 'request_journal'
   */
  schema?: string | undefined
  /** Called after each chunk that was read. */
  onProgress?: ((progress: VerifyProgress) => void) | undefined
}

/** What `verify` prints with `--json`. */
export interface VerifyReport {
  /**
   * Whether nothing is wrong. Lines that were rejected or unchecked, or that wait for the
   * projector, aren't wrong.
   */
  ok: boolean
  journal_id: string
  /** Absolute, or the address; null: the journal was checked alone. */
  database: string | null
  /** Segments read, archived ones included. */
  segments: number
  /**
   * Archives whose file isn't the recorded one, by its SHA-256, but which hold the same lines. That
   * isn't wrong: somebody has compressed them again.
   */
  recompressed: number
  /**
   * Sealed segments that are gone, which was accepted with `--allow-missing`, and of which the
   * database has no rows. That isn't wrong.
   */
  accepted_missing: number
  /** Whole lines read, blank ones not counted. */
  lines: number
  /** Rows of the journal in the database, and those that never came from a journal. */
  rows: number
  /** Lines whose result is missing: a row, or a change of one. */
  missing: number
  /** Additional rows of one line. */
  doubled: number
  /** Rows that differ from their lines. */
  altered: number
  /** Rows that claim to come from a place where there is no such line. */
  surplus: number
  /**
   * Lines that were good once and fail their checksum now; without a database every line that does.
   */
  damaged: number
  /** Lines that can't be projected. */
  rejected: number
  /** Lines accepted without a checksum. */
  unchecked: number
  /** Rows that never came from a journal. */
  unjournaled: number
  /**
   * How many of these other programs have added after the journal began: they are listed, but in no
   * sum.
   */
  added: number
  /** Lines that are not projected yet. */
  pending: number
  /** Completions that wait for their request. */
  held: number
  /** Completions that a later one of the same request has overwritten. */
  superseded: number
  /** Lines that were projected after lines of a newer segment. */
  late: number
  /**
   * Rows that wait to be repriced. While there are any, costs and their sums aren't final, and so
   * they weren't compared.
   */
  to_reprice: number
  /** The first 500 of segments and the first 500 of lines and rows. */
  problems: VerifyProblem[]
  /** How many more there are. */
  more_problems: number
  /**
   * The manifest's entries, and the hash of the last one: kept elsewhere, it proves later that
   * nothing older changed.
   */
  chain: { entries: number; head: string }
  elapsed_ms: number
}

/**
 * Reads every line of the journal, checks it, and compares it with its row, and every row with its
 * line: in one pass with bounded memory, as they are at one moment. A projector may run meanwhile.
 *
 * @throws JournalError JOURNAL_MISSING, JOURNAL_INVALID; SEGMENT_UNREADABLE when the directory
 *   can't be listed.
 * @throws ProjectionError OTHER_JOURNAL, PROJECTION_OUTDATED.
 * @throws DatabaseError or PostgresError when there is a database and it can't be read.
 */
export async function verify(options: VerifyOptions): Promise<VerifyReport> {
  const startedAt = performance.now()
  const directory = resolve(options.journal)
  const identity = readIdentity(directory)
  // The positions are read first: the journal only grows, so it is never shorter than they say.
  const { database, schema } = options
  const snapshot =
    database === undefined ? null : await Snapshot.open({ database, schema }, identity.journal_id)
  try {
    if (snapshot !== null) checkJournal(snapshot.positions.values(), identity, snapshot.path)
    const pass = new JournalPass({ directory, identity, snapshot, onProgress: options.onProgress })
    await pass.readAll()
    return report(pass, identity, snapshot, startedAt)
  } catch (error) {
    throw snapshot === null ? error : asStoreError(error, snapshot.path)
  } finally {
    snapshot?.close()
  }
}

function report(
  { problems, manifest, counts }: JournalPass,
  identity: JournalIdentity,
  snapshot: Snapshot | null,
  startedAt: number,
): VerifyReport {
  const kept = problems.kept
  const positions = [...(snapshot?.positions.values() ?? [])]
  const unjournaled = snapshot?.unjournaled ?? 0
  return {
    ok: problems.total === 0,
    journal_id: identity.journal_id,
    database: snapshot?.path ?? null,
    segments: counts.segments,
    recompressed: counts.recompressed,
    accepted_missing: counts.accepted_missing,
    lines: counts.lines,
    rows: snapshot?.rows ?? 0,
    missing: problems.count('missing'),
    doubled: problems.count('doubled'),
    altered: problems.count('altered'),
    surplus: problems.count('surplus'),
    damaged: problems.count('damaged'),
    rejected: counts.rejected,
    unchecked: counts.unchecked,
    unjournaled,
    added: snapshot?.added ?? 0,
    pending: snapshot === null ? 0 : counts.pending,
    held: counts.held,
    superseded: counts.superseded,
    late: positions.reduce((sum, position) => sum + position.counts.late, 0),
    to_reprice: snapshot?.toReprice ?? 0,
    problems: kept,
    more_problems: problems.total - kept.length,
    chain: { entries: manifest.entries.length, head: manifest.head },
    elapsed_ms: Math.round(performance.now() - startedAt),
  }
}
