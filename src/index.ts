// What `import … from 'request-journal'` gives: all that a process needs to append events.
export { type EventProblem, InvalidEventError } from './events/errors.js'
export type {
  Currency,
  EventInput,
  ExchangeRateObserved,
  JournalEvent,
  PerMillion,
  PriceInput,
  PricePart,
  PriceSet,
  RateInput,
  RequestLog,
  RequestLogged,
  StreamCompleted,
  StreamCompletion,
} from './events/event-types.js'
export type { Redact } from './events/redact.js'
export type {
  Attempt,
  AttemptFailure,
  AttemptOutcome,
  AttemptStart,
} from './journal/append/attempt-handle.js'
export { type Journal, type JournalCounters, openJournal } from './journal/append/journal.js'
export type { JournalOptions } from './journal/append/options.js'
export { JournalError, JournalWriteError } from './journal/errors.js'
export type { JournalIdentity } from './journal/journal-identity.js'
export type { JournalLogger } from './journal/logger.js'
