// What a decoding thread runs: reads segments, decodes their lines and hands them over packed.
import { parentPort } from 'node:worker_threads'
import { openSegment } from '../../journal/read/open-segment.js'
import { addCounts } from '../../store/sqlite/positions.js'
import type { DecodedPart } from '../decoded-segment.js'
import { SegmentDecoder } from '../segment-decoder.js'
import {
  type Behind,
  type DecoderAnswer,
  type DecoderRequest,
  plainError,
  type SegmentToOpen,
} from './decoder-messages.js'
import { LinePacker } from './line-packer.js'
import { newPackBuffer } from './packed-lines.js'

/** One is filled, one is read and one waits: what bounds how far this thread is ahead. */
const BUFFERS = 3

/** This thread has nothing else to do meanwhile. Measured: 3 to 5 % less time than with chunks of 64 KiB. */
const CHUNK_BYTES = 256 * 1024

const port = parentPort
if (port === null) throw new Error('this file is what a decoding thread runs, not a program of its own')

const packer = new LinePacker()
/** Those that were not closed, and when each has been read. */
const segments = new Map<number, { decoder: SegmentDecoder; isRead: Promise<void> }>()
const free = Array.from({ length: BUFFERS }, newPackBuffer)
let onRelease = () => {}
/** Segments are read one after the other. */
let reading = Promise.resolve()

port.on('message', (request: DecoderRequest) => {
  switch (request.kind) {
    case 'open':
      open(request.id, request.open)
      break
    case 'sync':
      void sync(request.id)
      break
    case 'close':
      close(request.id)
      break
    case 'release':
      free.push(request.buffer)
      onRelease()
      break
    default:
      request satisfies never
  }
})

function open(id: number, { directory, segment, position, positionCrc32, ...options }: SegmentToOpen): void {
  try {
    const source = openSegment(directory, segment, { position, positionCrc32, chunkBytes: CHUNK_BYTES })
    const decoder = new SegmentDecoder(source, segment, options)
    const { path, isArchive, file } = decoder
    answer({ kind: 'opened', id, path, isArchive, file })
    reading = reading.then(() => read(id, decoder))
    segments.set(id, { decoder, isRead: reading })
  } catch (error) {
    answer({ kind: 'failed', id, error: plainError(error) })
  }
}

async function read(id: number, decoder: SegmentDecoder): Promise<void> {
  let buffer: ArrayBuffer | undefined
  try {
    while (segments.has(id)) {
      buffer ??= await freeBuffer()
      packer.begin(buffer)
      const part = await readPart(decoder)
      if (part === null) {
        answer({ kind: 'end', id, digests: decoder.digests() })
        break
      }
      answer({ kind: 'part', id, part, lines: packer.end(), behind: behind(decoder) }, [buffer])
      buffer = undefined
    }
  } catch (error) {
    answer({ kind: 'failed', id, error: plainError(error) })
  }
  if (buffer !== undefined) free.push(buffer)
}

/** As much as a pack takes. Null at the end. */
async function readPart(decoder: SegmentDecoder): Promise<DecodedPart | null> {
  let all: DecodedPart | null = null
  while (!packer.isEnough) {
    const part = await decoder.read(packer)
    if (part === null) break
    all = all === null ? part : add(all, part)
  }
  return all
}

function add(a: DecodedPart, b: DecodedPart): DecodedPart {
  return {
    bytes: a.bytes + b.bytes,
    counts: addCounts(a.counts, b.counts),
    firstRejected: a.firstRejected ?? b.firstRejected,
    firstDroppedCost: a.firstDroppedCost ?? b.firstDroppedCost,
  }
}

function behind(decoder: SegmentDecoder): Behind {
  return {
    position: decoder.position,
    positionCrc32: decoder.positionCrc32,
    lastLine: decoder.lastLine(),
  }
}

async function freeBuffer(): Promise<ArrayBuffer> {
  for (;;) {
    const buffer = free.pop()
    if (buffer !== undefined) return buffer
    await new Promise<void>((resolve) => {
      onRelease = resolve
    })
  }
}

async function sync(id: number): Promise<void> {
  try {
    await segments.get(id)?.decoder.sync()
    answer({ kind: 'synced', id })
  } catch (error) {
    answer({ kind: 'failed', id, error: plainError(error) })
  }
}

/** Not while a read is under way: its descriptor's number could by then be another file's. */
function close(id: number): void {
  const segment = segments.get(id)
  segments.delete(id)
  void segment?.isRead.then(() => segment.decoder.close())
}

function answer(message: DecoderAnswer, transferred: ArrayBuffer[] = []): void {
  port?.postMessage(message, transferred)
}
