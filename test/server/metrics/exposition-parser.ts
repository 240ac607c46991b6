/** A page of metrics, as {@link parseExposition} reads it. */
export interface Page {
  /** By name, without the suffixes of a histogram. */
  families: Map<string, { type: string; help: string }>
  /** Every sample's name, with suffixes. */
  names: Set<string>
  /** By name and labels as JSON: `requests_total{"model":"m"}`. */
  samples: Map<string, number>
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`, 's')
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^\\"\n]|\\[\\"n])*)"(,|$)/y
const NUMBER = /^(?:[+-]Inf|NaN|-?\d+(?:\.\d+)?(?:e[+-]\d+)?)$/

/**
 * Reads Prometheus' text format more strictly than Prometheus does: HELP and TYPE before the
 * samples of each family, once; no series twice; histograms whose buckets ascend to +Inf, which is
 * their count. Throws at anything else.
 */
export function parseExposition(text: string): Page {
  const page: Page = { families: new Map(), names: new Set(), samples: new Map() }
  if (!text.endsWith('\n')) throw new Error('the last line has no newline')
  let family = ''
  let help: string | null = null
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = line.match(new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`))
    if (comment?.[1] === 'HELP') {
      const [, , name = '', rest = ''] = comment
      if (page.families.has(name)) throw new Error(`${name} comes twice`)
      if (/\\(?![\\n])/.test(rest)) throw new Error(`an unknown escape: ${line}`)
      family = name
      help = rest
    } else if (comment?.[1] === 'TYPE') {
      const [, , name = '', type = ''] = comment
      if (name !== family || help === null) throw new Error(`TYPE without HELP: ${line}`)
      page.families.set(name, { type, help })
      help = null
    } else {
      addSample(page, family, line)
    }
  }
  checkHistograms(page)
  return page
}

function addSample(page: Page, family: string, line: string): void {
  const [, name = '', labels = '', value = ''] = line.match(SAMPLE) ?? []
  if (!NUMBER.test(value)) throw new Error(`not a sample: ${line}`)
  const type = page.families.get(family)?.type
  const suffixes = type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
  if (!suffixes.some((suffix) => name === `${family}${suffix}`)) {
    throw new Error(`a sample outside of its family ${family}: ${line}`)
  }
  const key = seriesKey(name, parseLabels(labels))
  if (page.samples.has(key)) throw new Error(`a series comes twice: ${key}`)
  page.names.add(name)
  page.samples.set(key, Number(value.replace('Inf', 'Infinity')))
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  LABEL.lastIndex = 0
  for (let at = 0; at < text.length; at = LABEL.lastIndex) {
    const [, name = '', value = ''] = LABEL.exec(text) ?? []
    if (name === '' || name in labels) throw new Error(`not labels: ${text}`)
    labels[name] = value.replace(/\\(.)/g, (_, character) => (character === 'n' ? '\n' : character))
  }
  return labels
}

function checkHistograms({ families, samples }: Page): void {
  for (const [name] of [...families].filter(([, { type }]) => type === 'histogram')) {
    const buckets = new Map<string, [le: number, requests: number][]>()
    for (const [key, value] of samples) {
      if (!key.startsWith(`${name}_bucket`)) continue
      const { le, ...labels } = JSON.parse(key.slice(`${name}_bucket`.length)) as Record<string, string>
      const series = JSON.stringify(labels)
      const bound = le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le)
      buckets.set(series, [...(buckets.get(series) ?? []), [bound, value]])
    }
    for (const [series, ofSeries] of buckets) {
      const [last] = ofSeries.slice(-1)
      const ascends = ofSeries.every(([le, requests], index) => {
        const [nextLe, nextRequests] = ofSeries[index + 1] ?? [Number.POSITIVE_INFINITY, requests]
        return (le < nextLe || index === ofSeries.length - 1) && requests <= nextRequests
      })
      if (!ascends || last?.[0] !== Number.POSITIVE_INFINITY) throw new Error(`${name} ${series}: buckets`)
      if (last[1] !== samples.get(`${name}_count${series}`)) throw new Error(`${name} ${series}: count`)
      if (!samples.has(`${name}_sum${series}`)) throw new Error(`${name} ${series}: no sum`)
    }
  }
}

/** How {@link Page} names a series. */
export function seriesKey(name: string, labels: Record<string, string> = {}): string {
  return Object.keys(labels).length === 0 ? name : `${name}${JSON.stringify(labels)}`
}
