import { decimalText } from '../../folds/costs/decimal.js'

/** A sample's labels, in the order in which they are written. */
export type Labels = Readonly<Record<string, string>>

export interface Sample {
  /** The suffix of the family's name, for samples of a histogram. @default none */
  suffix?: '_bucket' | '_sum' | '_count'
  labels?: Labels
  /** A text is written as it is: an exact decimal, if a number would lose digits. */
  value: number | bigint | string
}

/** All samples with one name. */
export interface MetricFamily {
  name: string
  type: 'counter' | 'gauge' | 'histogram'
  help: string
  samples: readonly Sample[]
}

/** The Content-Type of a page by {@link formatExposition}. */
export const EXPOSITION_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/**
 * Formats a page in Prometheus' text format, version 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/). A family without samples is left
 * out.
 */
export function formatExposition(families: readonly MetricFamily[]): string {
  const lines: string[] = []
  for (const { name, type, help, samples } of families) {
    if (samples.length === 0) continue
    lines.push(`# HELP ${name} ${help.replace(/[\\\n]/g, escaped)}`, `# TYPE ${name} ${type}`)
    for (const { suffix = '', labels = {}, value } of samples) {
      lines.push(`${name}${suffix}${formatLabels(labels)} ${formatValue(value)}`)
    }
  }
  return lines.map((line) => `${line}\n`).join('')
}

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replace(/[\\"\n]/g, escaped)}"`,
  )
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escaped(character: string): string {
  return character === '\n' ? '\\n' : `\\${character}`
}

function formatValue(value: number | bigint | string): string {
  return value === Number.POSITIVE_INFINITY ? '+Inf' : String(value)
}

/** Formats integer units as an exact decimal of the base unit: 1500n with 3 digits is `1.5`. */
export function exactDecimal(units: bigint, digits: number): string {
  return units < 0n ? `-${decimalText(-units, digits)}` : decimalText(units, digits)
}
