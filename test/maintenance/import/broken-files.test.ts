import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect } from 'vitest'
import { test, type Workspace } from '../../support/workspace.js'
import { importHere } from './support.js'

const row = (id: string, other: object = {}) => ({
  request_id: id,
  startTime: '2026-10-01T10:00:00.000Z',
  endTime: '2026-10-01T10:00:01.000Z',
  model: 'gpt-4o',
  spend: 0.001,
  ...other,
})
const line = (id: string) => JSON.stringify(row(id))

const written = ({ directory }: Workspace, text: string | Buffer, name = 'spend.jsonl') => {
  const file = join(directory, name)
  writeFileSync(file, text)
  return file
}

const dryRun = (workspace: Workspace, text: string | Buffer) =>
  importHere({
    journal: workspace.journal,
    from: 'litellm',
    file: written(workspace, text),
    dryRun: true,
  })

const NO_ROW = 'expected an object with the columns of a row'
const NO_JSON = "found something that isn't JSON"

describe('JSON', () => {
  test.for([
    ['garbage', `${NO_JSON} (`],
    ['[1,2]', `found [1,2], ${NO_ROW}`],
    ['"text"', `found "text", ${NO_ROW}`],
    ['123', `found 123, ${NO_ROW}`],
    ['null', `found null, ${NO_ROW}`],
    ['{}', `found {}, ${NO_ROW}`],
    ['{"request_id": "x", "spend": ', NO_JSON],
    ['{"request_id": "x", "model": "gp', NO_JSON],
    ['{"request_id": "x"}}', NO_JSON],
    [line('x').replace('gpt', '\\\\"gpt\\\\"'), 'backslashes are doubled, as \\copy of psql writes them'],
  ] as const)(
    'the line %j is rejected by itself, first, between good ones or last',
    async ([text, reason], { workspace }) => {
      for (const [at, good] of [
        [2, [line('a'), text, line('b'), '', line('c')]],
        [4, [line('a'), line('b'), line('c'), text]],
      ] as const) {
        const result = await dryRun(workspace, good.join('\n'))
        expect(result.rejections).toEqual([{ line: at, reason: expect.stringContaining(reason) }])
        expect(result).toMatchObject({ requests: 3, rejected: 1, rows: 4 })
      }
    },
  )

  test('a line that is cut at the beginning of the file costs none of the others', async ({ workspace }) => {
    const result = await dryRun(workspace, `{"request_id": "x", "spend": \n${line('a')}\n${line('b')}\n`)
    expect(result).toMatchObject({ requests: 2, rejections: [{ line: 1 }] })
  })

  test.for([
    ['in lines', (rows: object[]) => JSON.stringify(rows, null, 2)],
    ['in one line', (rows: object[]) => JSON.stringify(rows)],
    ['with a row a line', (rows: object[]) => `[\n${rows.map((it) => JSON.stringify(it)).join(',\n')}\n]`],
    ['as objects in lines', (rows: object[]) => rows.map((it) => JSON.stringify(it, null, 1)).join('\n')],
    ['as an answer in lines', (rows: object[]) => JSON.stringify({ data: rows, total: 3 }, null, 4)],
    ['as an answer in one line', (rows: object[]) => `\uFEFF${JSON.stringify({ data: rows })}`],
  ] as const)('rows %s are read', async ([, text], { workspace }) => {
    const rows = ['a', 'b', 'c'].map((id) => row(id, { metadata: { note: '[{"}\\' } }))
    expect(await dryRun(workspace, text(rows))).toMatchObject({ requests: 3, rejected: 0 })
  })

  test('what stands in an array and is no row is rejected, and a cut array gives what was whole', async ({
    workspace,
  }) => {
    const text = `[${line('a')},\n 12, "a\\"]", null,\n [1, [2]],\n${line('b')},\n{"request_id": "c", "spe`
    const result = await dryRun(workspace, text)
    expect(result.rejections).toEqual([
      { line: 2, reason: `found 12, ${NO_ROW}` },
      { line: 2, reason: `found "a\\"]", ${NO_ROW}` },
      { line: 2, reason: `found null, ${NO_ROW}` },
      { line: 3, reason: `found [1,[2]], ${NO_ROW}` },
      { line: 5, reason: expect.stringContaining('the file ends within an object or an array') },
    ])
    expect(result).toMatchObject({ requests: 2, rejected: 5 })
  })
})

describe('a file', () => {
  test('that is compressed with gzip is the same as without, and a damaged one is refused', async ({
    workspace,
  }) => {
    const text = `${line('a')}\n${line('b')}\n`
    const plain = await dryRun(workspace, text)
    expect(await dryRun(workspace, gzipSync(text))).toEqual(plain)
    await expect(dryRun(workspace, gzipSync(text).subarray(0, 60))).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
      message: expect.stringContaining("the file's gzip is damaged or cut"),
    })
  })

  test('that is a pipe is refused, since it is read twice', async ({ workspace }) => {
    const file = join(workspace.directory, 'pipe')
    execFileSync('mkfifo', [file])
    await expect(importHere({ journal: workspace.journal, from: 'litellm', file })).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
      message: expect.stringContaining('write it to a file first'),
    })
  })
})
