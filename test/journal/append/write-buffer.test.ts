import { expect, test } from 'vitest'
import { WriteBuffer } from '../../../src/journal/append/line-writer.js'

const line = (text: string) => Buffer.from(text)

function drained(buffer: WriteBuffer): string[] {
  const written: string[] = []
  buffer.drain((bytes) => written.push(bytes.toString()))
  return written
}

test('lines that were pushed are written in order, once', () => {
  const buffer = new WriteBuffer(100)
  for (const text of ['a', 'b', 'c']) expect(buffer.push(line(text))).toBe(true)
  expect(buffer.length).toBe(3)
  expect(drained(buffer)).toStrictEqual(['a', 'b', 'c'])
  expect(buffer.length).toBe(0)
  expect(drained(buffer)).toStrictEqual([])
})

test('the bound is in bytes, and a line that goes over it isn’t kept', () => {
  const buffer = new WriteBuffer(10)
  expect(buffer.push(line('12345'))).toBe(true)
  expect(buffer.push(line('678901'))).toBe(false)
  expect(buffer.push(line('67890'))).toBe(true)
  expect(buffer.push(line('1'))).toBe(false)
  expect(drained(buffer)).toStrictEqual(['12345', '67890'])
  expect(buffer.push(line('1234567890'))).toBe(true)
})

test('nothing fits into a bound of 0', () => {
  expect(new WriteBuffer(0).push(line('a'))).toBe(false)
})

test('a write that throws keeps its line and all after it, and frees the room of those before', () => {
  const buffer = new WriteBuffer(3)
  for (const text of ['a', 'b', 'c']) buffer.push(line(text))
  const failing = (bytes: Buffer) => {
    if (bytes.toString() === 'b') throw new Error('full')
  }
  expect(() => buffer.drain(failing)).toThrow('full')
  expect(buffer.length).toBe(2)
  expect(buffer.push(line('d'))).toBe(true)
  expect(buffer.push(line('e'))).toBe(false)
  expect(drained(buffer)).toStrictEqual(['b', 'c', 'd'])
})

test('a write that drains again is refused; a line that a write pushes comes last', () => {
  const buffer = new WriteBuffer(100)
  for (const text of ['a', 'b']) buffer.push(line(text))
  const written: string[] = []
  buffer.drain((bytes) => {
    if (written.length === 0) {
      expect(() => buffer.drain(() => {})).toThrow()
      buffer.push(line('c'))
    }
    written.push(bytes.toString())
  })
  expect(written).toStrictEqual(['a', 'b', 'c'])
})
