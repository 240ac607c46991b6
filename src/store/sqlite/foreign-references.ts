import { isPrunedSql, type RowExtent } from '../row-pruner.js'
import type { Database } from './connection/database.js'
import { DatabaseError } from './connection/errors.js'

/** A foreign key by which a table of the operator's refers to `requests`. */
interface RequestReference {
  child: string
  /** The SQL for whether row `c` of the child refers to row `r` of `requests`. */
  condition: string
  onDelete: string
}

/**
 * Notes the foreign keys by which the operator's own tables refer to requests, and checks them
 * after a replay. A replay runs with foreign keys off, so that no cascade deletes rows of those
 * tables while the same requests are deleted and inserted again. The check finds references that
 * would then lead nowhere or to another request, before the commit. Call this in the transaction,
 * before anything is removed.
 *
 * @returns the check, to be called once all requests have been inserted again. It throws a
 *   DatabaseError ROWS_REFERRED_TO.
 */
export function noteReferences(database: Database): () => void {
  database.exec(`
    CREATE TEMP TABLE held_dangling (child TEXT, child_row INTEGER, parent TEXT, key INTEGER);
    CREATE TEMP TABLE held_references (child TEXT, id INTEGER, segment_id INTEGER, byte_offset INTEGER);
  `)
  const children = database
    .prepare<[], string>(
      `SELECT DISTINCT m.name FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) WHERE m.type = 'table'`,
    )
    .pluck()
    .all()
    .filter((child) => noteDangling(database, child))
  for (const { child, condition } of requestReferences(database)) {
    database
      .prepare(
        `INSERT INTO temp.held_references
           SELECT DISTINCT ?, r.id, r.segment_id, r.byte_offset
           FROM ${quoted(child)} c JOIN requests r ON ${condition} WHERE r.segment_id IS NOT NULL`,
      )
      .run(child)
  }
  return () => {
    const moved = database
      .prepare<[], { child: string; n: number }>(
        `SELECT child, count(*) AS n FROM temp.held_references h
         WHERE NOT EXISTS (SELECT 1 FROM requests r
           WHERE r.id = h.id AND r.segment_id = h.segment_id AND r.byte_offset = h.byte_offset)
         GROUP BY child LIMIT 1`,
      )
      .get()
    if (moved !== undefined) throw refused(database, moved.child, moved.n)
    for (const child of children) {
      const n = newDangling(database, child)
      if (n > 0) throw refused(database, child, n)
    }
    database.exec('DROP TABLE temp.held_dangling; DROP TABLE temp.held_references')
  }
}

function refused(database: Database, child: string, n: number): DatabaseError {
  const found = `the table ${JSON.stringify(child)} refers to rows of which ${n} would be gone or have another id after a replay`
  const reason = 'because lines came late or are missing'
  const advice = 'remove or redirect those references, or drop the foreign key, and replay again'
  const text = `${found}, ${reason}; nothing was changed: ${advice}`
  return new DatabaseError('ROWS_REFERRED_TO', database.name, text)
}

/**
 * @returns false for a key that SQLite can't resolve, such as a reference to a column that isn't
 *   unique.
 */
function noteDangling(database: Database, child: string): boolean {
  try {
    database.exec(`INSERT INTO temp.held_dangling SELECT * FROM pragma_foreign_key_check(${literal(child)})`)
    return true
  } catch {
    // Such a key refers to nothing, and with foreign keys on, SQLite itself would refuse each
    // change.
    return false
  }
}

function newDangling(database: Database, child: string): number {
  const count = database.prepare<[string], number>(
    `SELECT (SELECT count(*) FROM pragma_foreign_key_check(${literal(child)}))
       - (SELECT count(*) FROM temp.held_dangling WHERE child = ?)`,
  )
  return count.pluck().get(child) ?? 0
}

/**
 * Checks that no table of the operator's forbids the removal of rows that a prune removes. A
 * reference without ON DELETE CASCADE, SET NULL or SET DEFAULT would stop the prune halfway.
 *
 * @param extent the segments whose rows are removed.
 * @throws DatabaseError ROWS_REFERRED_TO
 */
export function checkUnreferenced(database: Database, extent: RowExtent): void {
  for (const { child, condition, onDelete } of requestReferences(database)) {
    if (onDelete !== 'NO ACTION' && onDelete !== 'RESTRICT') continue
    const n = database
      .prepare<[], number>(
        `SELECT count(*) FROM ${quoted(child)} c JOIN requests r ON ${condition} WHERE ${isPrunedSql(extent, 'r.segment_id')}`,
      )
      .pluck()
      .get()
    if (n === undefined || n === 0) continue
    const [rows, refer] = n === 1 ? ['row', 'refers'] : ['rows', 'refer']
    const found = `${n} ${rows} of the table ${JSON.stringify(child)} ${refer} to requests that would be removed (ON DELETE ${onDelete})`
    const advice =
      'remove or redirect those rows, or declare the reference with ON DELETE CASCADE or SET NULL, and prune again'
    throw new DatabaseError('ROWS_REFERRED_TO', database.name, `${found}; nothing was removed: ${advice}`)
  }
}

function requestReferences(database: Database): RequestReference[] {
  return database
    .prepare<[], RequestReference>(
      `SELECT m.name AS child, f.on_delete AS onDelete,
         group_concat(printf('r."%w" = c."%w"', coalesce(f."to", 'id'), f."from"), ' AND ') AS condition
       FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f
       WHERE m.type = 'table' AND lower(f."table") = 'requests' GROUP BY m.name, f.id ORDER BY m.name, f.id`,
    )
    .all()
}

/** Quotes a name for SQL, whatever is in it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
