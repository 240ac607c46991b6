import type { ParquetWriter } from 'hyparquet-writer'
import { canonicalTimestamp } from '../../events/timestamp.js'
import { billionthsOf, wholeNumber } from '../../folds/sums/counted-values.js'
import type { ExportedRequest } from '../../queries/rows/export.js'

type SchemaElement = ConstructorParameters<typeof ParquetWriter>[0]['schema'][number]

/** A column of the files: its type, and its value for a request. */
interface ParquetColumn {
  name: keyof ExportedRequest
  /** The element of the schema, and those that it consists of. */
  elements: SchemaElement[]
  cellOf(request: ExportedRequest): unknown
}

/** The columns, named as in every other export. The day is in the name of the folder. */
export const COLUMNS: readonly ParquetColumn[] = [
  integer('id', 'REQUIRED'),
  text('correlation_id'),
  timestamp('timestamp'),
  text('model'),
  text('response_model'),
  text('provider'),
  text('policy'),
  text('service_tier'),
  integer('attempt'),
  boolean('streaming'),
  boolean('success'),
  integer('input_tokens'),
  integer('output_tokens'),
  integer('cache_read_input_tokens'),
  integer('cache_creation_input_tokens'),
  integer('cache_creation_1h_input_tokens'),
  integer('audio_input_tokens'),
  integer('image_input_tokens'),
  integer('reasoning_output_tokens'),
  integer('audio_output_tokens'),
  cost('cost_sats'),
  cost('cost_usd'),
  cost('provider_cost_sats'),
  cost('provider_cost_usd'),
  text('cost_source'),
  text('cost_currency'),
  integer('latency_ms'),
  integer('stream_duration_ms'),
  integer('error_status'),
  text('error_message'),
  labels('labels'),
  text('segment'),
  integer('byte_offset'),
]

export const SCHEMA: readonly SchemaElement[] = [
  { name: 'requests', num_children: COLUMNS.length },
  ...COLUMNS.flatMap(({ elements }) => elements),
]

/**
 * The instant of a request in UTC with milliseconds. A row that another program has added may have
 * a time without an offset, as SQLite writes it, which counts as UTC; null if it has no time at
 * all.
 */
export function instantOf(timestamp: unknown): string | null {
  return canonicalTimestamp(String(timestamp)) ?? canonicalTimestamp(`${timestamp}Z`)
}

type Repetition = 'REQUIRED' | 'OPTIONAL'
type Name = keyof ExportedRequest

function textElement<ElementName extends string>(name: ElementName) {
  return { name, type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } } as const
}

function text(name: Name): ParquetColumn {
  return column(textElement(name), String)
}

function boolean(name: Name): ParquetColumn {
  return column({ name, type: 'BOOLEAN' }, Boolean)
}

/** A row that another program has added may contain anything: the value is the same as in sums. */
function integer(name: Name, repetition: Repetition = 'OPTIONAL'): ParquetColumn {
  return column(
    { name, type: 'INT64' },
    (value) => BigInt(wholeNumber(value, Number.MAX_SAFE_INTEGER)),
    repetition,
  )
}

/** A timestamp in microseconds of UTC, since not every engine accepts milliseconds. */
function timestamp(name: Name): ParquetColumn {
  const element: SchemaElement = {
    name,
    type: 'INT64',
    converted_type: 'TIMESTAMP_MICROS',
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
  }
  return column(element, (value) => {
    const instant = instantOf(value)
    return instant === null ? null : BigInt(Date.parse(instant)) * 1000n
  })
}

/**
 * A cost as the exact decimal that sums use, so that every engine gives exactly the sums of
 * `stats`. Sums of doubles would depend on the order of the rows.
 */
function cost(name: Name): ParquetColumn {
  const [precision, scale] = [38, 9]
  const element: SchemaElement = {
    name,
    type: 'FIXED_LEN_BYTE_ARRAY',
    type_length: 16,
    converted_type: 'DECIMAL',
    precision,
    scale,
    logical_type: { type: 'DECIMAL', precision, scale },
  }
  return column(element, (value) => {
    return billionthsOf(typeof value === 'number' ? value : Number.parseFloat(String(value)) || 0)
  })
}

/** A map of texts, in which every engine finds a label by its name. */
function labels(name: Name): ParquetColumn {
  const elements: SchemaElement[] = [
    {
      name,
      repetition_type: 'OPTIONAL',
      num_children: 1,
      converted_type: 'MAP',
      logical_type: { type: 'MAP' },
    },
    { name: 'key_value', repetition_type: 'REPEATED', num_children: 2 },
    { ...textElement('key'), repetition_type: 'REQUIRED' },
    { ...textElement('value'), repetition_type: 'OPTIONAL' },
  ]
  return {
    name,
    elements,
    cellOf: ({ labels }) =>
      labels === undefined || labels === null
        ? null
        : Object.entries(labels).map(([key, value]) => ({
            key,
            value: typeof value === 'string' || value === null ? value : JSON.stringify(value),
          })),
  }
}

function column(
  element: SchemaElement & { name: string },
  convert: (value: unknown) => unknown,
  repetition: Repetition = 'OPTIONAL',
): ParquetColumn {
  const name = element.name as Name
  return {
    name,
    elements: [{ ...element, repetition_type: repetition }],
    cellOf: (request) => {
      const value = request[name]
      return value === undefined || value === null ? null : convert(value)
    },
  }
}
