import { runCommand, runProgram } from '../harness/processes.mjs'

/** How many journals share it. */
export const JOURNALS = 8

/** Including today: the window of 30 days begins within the first. */
const DAYS = 31

/**
 * A database that eight journals share, with rows of 31 days up to the end of today. One journal is projected; the
 * others are made of its rows by the server, each with ids of its own, which takes a third of the time.
 *
 * @param {import('../harness/rounds.mjs').Context} context
 * @param {import('../harness/postgres.mjs').PostgresServer} server
 * @param {number} events of all journals
 * @returns {Promise<string>} its address
 */
export async function fleetDatabase(
  { workspace, seed, progress, checkouts: [checkout = ''] },
  server,
  events,
) {
  const directory = workspace.path('journal')
  progress(`fleet: making ${events.toLocaleString('en-US')} rows of ${JOURNALS} journals`)
  await runProgram('make-journal', {
    directory,
    events: Math.ceil(events / JOURNALS),
    days: DAYS,
    seed,
    untilToday: true,
  })
  const address = await server.createDatabase()
  await runCommand(checkout, ['migrate', '--db', address])
  await runCommand(checkout, ['project', '--once', '--journal', directory, '--db', address])
  for (let number = 2; number <= JOURNALS; number++) await server.ask(address, copyOf(number))
  await server.ask(address, 'VACUUM ANALYZE; CHECKPOINT')
  return address
}

/**
 * Statements that give another journal the rows of the first.
 *
 * @param {number} number
 */
function copyOf(number) {
  return `
    SET search_path = request_journal;
    DO $$
    DECLARE
      copied TEXT;
      columns TEXT;
      vals TEXT;
    BEGIN
      INSERT INTO journals (number, journal_id, host, version, next_ordinal)
        SELECT ${number}, gen_random_uuid()::text, 'host-${number}', version, next_ordinal FROM journals WHERE number = 1;
      FOR copied IN
        SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'journal'
        WHERE c.relnamespace = 'request_journal'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND c.relname <> 'journal_chunks'
      LOOP
        SELECT string_agg(quote_ident(attname), ', '), string_agg(CASE
            WHEN attname = 'journal' THEN '${number}'
            WHEN copied = 'requests' AND attname = 'id' THEN 'id + ${number - 1} * 2 ^ 36'
            WHEN copied = 'requests' AND attname = 'correlation_id' THEN 'gen_random_uuid()::text'
            ELSE quote_ident(attname) END, ', ')
          INTO columns, vals
          FROM pg_attribute WHERE attrelid = copied::regclass AND attnum > 0 AND NOT attisdropped;
        EXECUTE format('INSERT INTO %I (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %I WHERE journal = 1',
          copied, columns, vals, copied);
      END LOOP;
    END $$;`
}
