/** Empties a schema. It is faster than TRUNCATE, which makes new files. */
export const EMPTY = `DO $$ DECLARE name TEXT; BEGIN
  FOR name IN SELECT quote_ident(relname) FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
      AND relname NOT IN ('schema_migrations', 'rollup_labels', 'journals') LOOP
    EXECUTE 'DELETE FROM ' || name;
  END LOOP;
  DELETE FROM journals;
  DELETE FROM rollup_labels;
  INSERT INTO rollup_labels VALUES ('tier');
END $$`
