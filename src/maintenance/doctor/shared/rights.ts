import type { QueryDatabase } from '../../../store/query-database.js'
import { countText } from '../../count-text.js'
import { type Finding, note, ok, problem } from '../check.js'

interface TableRights {
  name: string
  may_read: boolean
  may_write: boolean
}

/** Whether this user may do what a projector does, and no more. */
export function checkRights(database: QueryDatabase, schema: string): Finding {
  const { role, is_superuser, may_create, may_partition } = database
    .prepare(
      `SELECT current_user AS role, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser,
         has_schema_privilege(?::text, 'CREATE') AS may_create,
         has_function_privilege(quote_ident(?::text) || '.make_requests_partition(timestamptz)', 'EXECUTE') AS may_partition`,
    )
    .get(schema, schema) as {
    role: string
    is_superuser: boolean
    may_create: boolean
    may_partition: boolean
  }
  // A projector never writes to the migrations.
  const tables = database
    .prepare<[string], TableRights>(
      `SELECT relname AS name, has_table_privilege(c.oid, 'SELECT') AS may_read,
         has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')
           AND has_table_privilege(c.oid, 'DELETE') AS may_write
       FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
       WHERE nspname = ? AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'schema_migrations'
       ORDER BY relname`,
    )
    .all(schema)
  const unreadable = tables.filter(({ may_read }) => !may_read).map(({ name }) => name)
  const unwritable = tables.filter(({ may_write }) => !may_write).map(({ name }) => name)
  const advice = 'Grant it: docs/fleet.md has the statements for each role'
  if (unreadable.length > 0) {
    const found = `${role} may not read ${countText(unreadable.length, 'table')}`
    return problem(found, advice, unreadable)
  }
  if (unwritable.length === tables.length) {
    return note(`${role} may only read`, 'Run doctor as the role of the projector to check its rights')
  }
  if (unwritable.length > 0) {
    const found = `${role} may not write to ${countText(unwritable.length, 'table')}`
    return problem(found, advice, unwritable)
  }
  if (!may_partition) {
    const found = `${role} may not call make_requests_partition: rows of a new month go to requests_other`
    return problem(found, advice)
  }
  if (is_superuser || may_create) {
    const found = `${role} may ${is_superuser ? 'do anything (a superuser)' : 'change the schema'}`
    return note(found, 'A projector needs less: docs/fleet.md has a role for it')
  }
  return ok(`${role} may read and write every table, and have partitions made`)
}
