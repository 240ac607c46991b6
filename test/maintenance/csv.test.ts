import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { type CsvColumns, readCsv } from '../../src/maintenance/csv.js'
import { InputError } from '../../src/maintenance/errors.js'
import { test, type Workspace } from '../support/workspace.js'

const COLUMNS: CsvColumns = { required: ['day', 'model'], optional: ['cost'] }

/** The lines and values of a file with this content. */
async function read(workspace: Workspace, content: string | Buffer, columns = COLUMNS) {
  const path = join(workspace.directory, 'file.csv')
  writeFileSync(path, content)
  const rows: [line: number, day: string, model: string, cost: string][] = []
  for await (const row of readCsv(path, columns)) {
    rows.push([row.line, row.get('day'), row.get('model'), row.get('cost')])
  }
  return rows
}

test('reads columns by name in any order, with quotes, blank lines, CRLF and a byte order mark', async ({
  workspace,
}) => {
  const content = '\u{feff}model,day\r\n\r\n"a, ""b""",2026-11-22\r\n  c  , \r\n'
  expect(await read(workspace, content)).toEqual([
    [3, '2026-11-22', 'a, "b"', ''],
    [4, '', 'c', ''],
  ])
})

test('a record over several lines is named by its first', async ({ workspace }) => {
  const content = 'day,model\n1,"a\nb\nc"\n2,d'
  expect(await read(workspace, content)).toEqual([
    [2, '1', 'a\nb\nc', ''],
    [5, '2', 'd', ''],
  ])
})

test('a column that nobody asked for is left alone unless only some may be there', async ({ workspace }) => {
  expect(await read(workspace, 'day,model,__proto__\n1,a,x\n', { required: ['day'] })).toEqual([
    [2, '1', 'a', ''],
  ])
})

test('a file larger than a chunk is read whole, with characters across its chunks', async ({ workspace }) => {
  const rows = Array.from({ length: 20_000 }, (_, i) => `${i},é€😀${i}`)
  const found = await read(workspace, `day,model\n${rows.join('\n')}`)
  expect(found).toHaveLength(20_000)
  expect(found.every(([line, day, model]) => line === Number(day) + 2 && model === `é€😀${day}`)).toBe(true)
})

describe.each([
  ['semicolons', 'day;model;cost\n1;a;1,5\n', 1, /by semicolons, expected commas/],
  ['semicolons around quotes', '"day";"model, or alias";"cost"\n', 1, /by semicolons, expected commas/],
  ['tabs', 'day\tmodel\n1\ta\n', 1, /by tabs, expected commas/],
  ['a column that is missing', 'day,Model\n1,a\n', 1, /'model' is missing: the header has 'day', 'Model'/],
  ['a column twice', 'day,model,day\n1,a,2\n', 1, /the column 'day' twice/],
  ['a column that is not known', 'day,model,price\n1,a,2\n', 1, /'price' isn't known: expected only/],
  [
    'a number with a comma',
    'day,model,cost\n1,a,2\n1,a,1,5\n',
    3,
    /found 4 fields, expected 3.*a number with commas/,
  ],
  ['too few fields', 'day,model,cost\n1,a\n', 2, /found 2 fields, expected 3 as in the header$/],
  ['a quote that is never closed', 'day,model\n1,"a\n2,b\n', 2, /a quote is never closed/],
  ['a quote within a field', 'day,model\n1,a"b\n', 2, /[Qq]uote/],
  ['nothing', '', null, /is empty: expected a header/],
  ['UTF-16', Buffer.from('\u{feff}day,model\n1,a\n', 'utf16le'), null, /isn't UTF-8/],
  ['a rest that is cut within a character', Buffer.from([100, 97, 121, 44, 0xe2]), null, /isn't UTF-8/],
])('a file with %s', (_, content, line, message) => {
  test('is refused with its line', async ({ workspace }) => {
    const error = await read(workspace, content).catch((reason) => reason)
    expect(error).toBeInstanceOf(InputError)
    expect(error).toMatchObject({ line, message: expect.stringMatching(message) })
    expect(error.message).toMatch(/^\/.*file\.csv(, line \d+)?: /)
  })
})

test('a file that does not exist is refused by its path', async ({ workspace }) => {
  const path = join(workspace.directory, 'none.csv')
  await expect(readCsv(path, COLUMNS).next()).rejects.toMatchObject({
    code: 'FILE_UNREADABLE',
    message: expect.stringContaining(`${path}: can't be read (ENOENT`),
  })
})
