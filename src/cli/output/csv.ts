/** Formats rows of a CSV; the first of them are preceded by the header. */
export type CsvFormat = (rows: readonly (readonly unknown[])[], isFirst: boolean) => string

/**
 * Makes a format of CSV in which no spreadsheet takes a cell for a formula.
 *
 * @param bom whether it begins with a byte order mark.
 */
export async function csvFormat(columns: readonly string[], bom = false): Promise<CsvFormat> {
  const { stringify } = await import('csv-stringify/sync')
  // Rows are arrays: csv-stringify takes names of members for paths, and a label's name may have
  // dots.
  return (rows, isFirst) =>
    stringify(rows as unknown[][], {
      bom: bom && isFirst,
      header: isFirst,
      columns: [...columns],
      escape_formulas: true,
      cast: { boolean: String, object: (value) => JSON.stringify(value), string: afterLineFeed },
    })
}

/** Escapes a leading line feed, which some spreadsheets skip, and csv-stringify leaves. */
function afterLineFeed(text: string): string {
  return text.startsWith('\n') ? `'${text}` : text
}
