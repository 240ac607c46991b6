import type { ModelNames } from './model-names.js'

/** The columns of a bill that are read. */
export interface BillColumns {
  date: string
  model: string
  cost: string
  /** Columns whose sum is compared with the logged input and output tokens; empty: none. */
  tokens: readonly string[]
}

/** The format of a provider's export. Its dates and times are UTC, and its costs are US dollars. */
export interface Preset {
  columns: BillColumns
  /** The column with the currency of a cost. */
  currencyColumn?: string
  /** Whether each line is about a whole UTC day, which can't be cut into days of another zone. */
  isByDay: boolean
  /** Whether a model's name ends at the first comma: `gpt-4o-2024-08-06, input`. */
  isModelBeforeComma?: boolean
  modelNames: ModelNames
}

export const PRESET_NAMES = ['openai', 'anthropic', 'openrouter', 'openrouter-activity'] as const

export type PresetName = (typeof PRESET_NAMES)[number]

/** The known exports. docs/pricing.md says where to get each of them. */
export const PRESETS: Readonly<Record<PresetName, Preset>> = {
  openai: {
    columns: { date: 'start_time_iso', model: 'line_item', cost: 'amount_value', tokens: [] },
    currencyColumn: 'amount_currency',
    isByDay: true,
    isModelBeforeComma: true,
    modelNames: 'exact',
  },
  // Its models are display names, such as `Claude Sonnet 4.5`.
  anthropic: {
    columns: { date: 'usage_date_utc', model: 'model', cost: 'cost_usd', tokens: [] },
    isByDay: true,
    modelNames: 'undated',
  },
  openrouter: {
    columns: {
      date: 'created_at',
      model: 'model_permaslug',
      cost: 'cost_total',
      tokens: ['tokens_prompt', 'tokens_completion'],
    },
    isByDay: false,
    modelNames: 'undated',
  },
  'openrouter-activity': {
    columns: { date: 'Date', model: 'Slug', cost: 'Usage', tokens: ['Prompt Tokens', 'Completion Tokens'] },
    isByDay: true,
    modelNames: 'undated',
  },
}
