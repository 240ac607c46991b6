/** UTF-16 units of text in a page of rows: far more than a thousand usual rows have. */
const MAX_PAGE_TEXT = 4 * 1024 * 1024

/**
 * Collects the rows of a statement, as far as they aren't too much text to hold: the labels of one row may take 1 MiB, so
 * that a number of rows alone bounds nothing. What is left out is read with the next page.
 *
 * @returns at least one row, unless there is none.
 */
export function pageOf<Row extends object>(rows: Iterable<Row>): Row[] {
  const page: Row[] = []
  let text = 0
  for (const row of rows) {
    page.push(row)
    for (const value of Object.values(row)) {
      if (typeof value === 'string') text += value.length
    }
    if (text >= MAX_PAGE_TEXT) break
  }
  return page
}
