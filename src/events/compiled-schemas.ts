// Generated from schema.ts, don't edit it: UPDATE_SCHEMA=1 npx vitest run test/events/compile.test.ts
// @ts-nocheck
import type { Static } from 'typebox'
import type { CompiledSchema } from './compile.js'
import type { RequestLogSchema, StreamCompletedSchema } from './schema.js'

export const requestLog: CompiledSchema<Static<typeof RequestLogSchema>> = {
  check: (() => { const External = [/(?!)/u]; const check_0 = ((value) => ((typeof value === "object" && value !== null && !(Array.isArray(value))) && ((("model" in value && "latency_ms" in value) && "success" in value) && (((((((((((((((((value.type === undefined || (!("type" in value) || (typeof value.type === "string" && value.type === "request_logged"))) && (value.correlation_id === undefined || (!("correlation_id" in value) || typeof value.correlation_id === "string"))) && (value.attempt === undefined || (!("attempt" in value) || ((Number.isInteger(value.attempt) && (!((Number.isFinite(value.attempt) || typeof value.attempt === "bigint")) || (value.attempt >= 0 && value.attempt <= 9007199254740991))) || value.attempt === null)))) && (value.timestamp === undefined || (!("timestamp" in value) || typeof value.timestamp === "string"))) && typeof value.model === "string") && (value.provider === undefined || (!("provider" in value) || (typeof value.provider === "string" || value.provider === null)))) && (value.policy === undefined || (!("policy" in value) || (typeof value.policy === "string" || value.policy === null)))) && (value.streaming === undefined || (!("streaming" in value) || typeof value.streaming === "boolean"))) && (Number.isFinite(value.latency_ms) && (value.latency_ms >= 0 && value.latency_ms <= 9007199254740991))) && typeof value.success === "boolean") && (value.input_tokens === undefined || (!("input_tokens" in value) || ((Number.isInteger(value.input_tokens) && (!((Number.isFinite(value.input_tokens) || typeof value.input_tokens === "bigint")) || (value.input_tokens >= 0 && value.input_tokens <= 9007199254740991))) || value.input_tokens === null)))) && (value.output_tokens === undefined || (!("output_tokens" in value) || ((Number.isInteger(value.output_tokens) && (!((Number.isFinite(value.output_tokens) || typeof value.output_tokens === "bigint")) || (value.output_tokens >= 0 && value.output_tokens <= 9007199254740991))) || value.output_tokens === null)))) && (value.cost_sats === undefined || (!("cost_sats" in value) || (Number.isFinite(value.cost_sats) || value.cost_sats === null)))) && (value.provider_cost_sats === undefined || (!("provider_cost_sats" in value) || (Number.isFinite(value.provider_cost_sats) || value.provider_cost_sats === null)))) && (value.error_status === undefined || (!("error_status" in value) || ((Number.isInteger(value.error_status) && (!((Number.isFinite(value.error_status) || typeof value.error_status === "bigint")) || (value.error_status >= -9007199254740991 && value.error_status <= 9007199254740991))) || value.error_status === null)))) && (value.error_message === undefined || (!("error_message" in value) || (typeof value.error_message === "string" || value.error_message === null)))) && (value.labels === undefined || (!("labels" in value) || ((typeof value.labels === "object" && value.labels !== null && !(Array.isArray(value.labels))) && ((Object.getOwnPropertyNames(value.labels).every((unique_0, unique_1) => ((External[0].test(unique_0) || typeof value.labels[unique_0] === "string"))) && true) && Object.getOwnPropertyNames(value.labels).every((unique_2, unique_3) => (true))))))))));; return check_0 })(),
  fields: {
    type: {
      isRequired: false,
      expected: "'request_logged'",
      check: (() => { const check_0 = ((value) => (typeof value === "string" && value === "request_logged"));; return check_0 })(),
    },
    correlation_id: {
      isRequired: false,
      expected: "a string without NUL",
      check: (() => { const External = [/^[^\u0000]*$/u]; const check_0 = ((value) => (typeof value === "string" && External[0].test(value)));; return check_0 })(),
    },
    attempt: {
      isRequired: false,
      expected: "an integer from 0 to 2^53 − 1 or null",
      check: (() => { const check_0 = ((value) => ((Number.isInteger(value) && (!((Number.isFinite(value) || typeof value === "bigint")) || (value >= 0 && value <= 9007199254740991))) || value === null));; return check_0 })(),
    },
    timestamp: {
      isRequired: false,
      expected: "a string",
      check: (() => { const check_0 = ((value) => typeof value === "string");; return check_0 })(),
    },
    model: {
      isRequired: true,
      expected: "a string without NUL",
      check: (() => { const External = [/^[^\u0000]*$/u]; const check_0 = ((value) => (typeof value === "string" && External[0].test(value)));; return check_0 })(),
    },
    provider: {
      isRequired: false,
      expected: "a string without NUL or null",
      check: (() => { const External = [/^[^\u0000]*$/u]; const check_0 = ((value) => ((typeof value === "string" && External[0].test(value)) || value === null));; return check_0 })(),
    },
    policy: {
      isRequired: false,
      expected: "a string without NUL or null",
      check: (() => { const External = [/^[^\u0000]*$/u]; const check_0 = ((value) => ((typeof value === "string" && External[0].test(value)) || value === null));; return check_0 })(),
    },
    streaming: {
      isRequired: false,
      expected: "true or false",
      check: (() => { const check_0 = ((value) => typeof value === "boolean");; return check_0 })(),
    },
    latency_ms: {
      isRequired: true,
      expected: "a number from 0 to 2^53 − 1",
      check: (() => { const check_0 = ((value) => (Number.isFinite(value) && (value >= 0 && value <= 9007199254740991)));; return check_0 })(),
    },
    success: {
      isRequired: true,
      expected: "true or false",
      check: (() => { const check_0 = ((value) => typeof value === "boolean");; return check_0 })(),
    },
    input_tokens: {
      isRequired: false,
      expected: "an integer from 0 to 2^53 − 1 or null",
      check: (() => { const check_0 = ((value) => ((Number.isInteger(value) && (!((Number.isFinite(value) || typeof value === "bigint")) || (value >= 0 && value <= 9007199254740991))) || value === null));; return check_0 })(),
    },
    output_tokens: {
      isRequired: false,
      expected: "an integer from 0 to 2^53 − 1 or null",
      check: (() => { const check_0 = ((value) => ((Number.isInteger(value) && (!((Number.isFinite(value) || typeof value === "bigint")) || (value >= 0 && value <= 9007199254740991))) || value === null));; return check_0 })(),
    },
    cost_sats: {
      isRequired: false,
      expected: "a finite number or null",
      check: (() => { const check_0 = ((value) => (Number.isFinite(value) || value === null));; return check_0 })(),
    },
    provider_cost_sats: {
      isRequired: false,
      expected: "a finite number or null",
      check: (() => { const check_0 = ((value) => (Number.isFinite(value) || value === null));; return check_0 })(),
    },
    error_status: {
      isRequired: false,
      expected: "an integer within ±(2^53 − 1) or null",
      check: (() => { const check_0 = ((value) => ((Number.isInteger(value) && (!((Number.isFinite(value) || typeof value === "bigint")) || (value >= -9007199254740991 && value <= 9007199254740991))) || value === null));; return check_0 })(),
    },
    error_message: {
      isRequired: false,
      expected: "a string or null",
      check: (() => { const check_0 = ((value) => (typeof value === "string" || value === null));; return check_0 })(),
    },
    labels: {
      isRequired: false,
      expected: "an object of strings",
      check: (() => { const External = [/(?!)/u, /^[^\u0000]*$/u, /^[^\u0000]*$/u]; const check_0 = ((value) => ((typeof value === "object" && value !== null && !(Array.isArray(value))) && ((Object.getOwnPropertyNames(value).every((unique_0, unique_1) => ((External[0].test(unique_0) || (typeof value[unique_0] === "string" && External[1].test(value[unique_0]))))) && true) && Object.getOwnPropertyNames(value).every((unique_2, unique_3) => ((!(typeof unique_2 === "string") || External[2].test(unique_2)))))));; return check_0 })(),
    },
  },
}

export const streamCompleted: CompiledSchema<Static<typeof StreamCompletedSchema>> = {
  check: (() => { const check_0 = ((value) => ((typeof value === "object" && value !== null && !(Array.isArray(value))) && (("type" in value && "correlation_id" in value) && ((((((((((((typeof value.type === "string" && value.type === "stream_completed") && typeof value.correlation_id === "string") && (value.attempt === undefined || (!("attempt" in value) || ((Number.isInteger(value.attempt) && (!((Number.isFinite(value.attempt) || typeof value.attempt === "bigint")) || (value.attempt >= 0 && value.attempt <= 9007199254740991))) || value.attempt === null)))) && (value.timestamp === undefined || (!("timestamp" in value) || (typeof value.timestamp === "string" || value.timestamp === null)))) && (value.input_tokens === undefined || (!("input_tokens" in value) || ((Number.isInteger(value.input_tokens) && (!((Number.isFinite(value.input_tokens) || typeof value.input_tokens === "bigint")) || (value.input_tokens >= 0 && value.input_tokens <= 9007199254740991))) || value.input_tokens === null)))) && (value.output_tokens === undefined || (!("output_tokens" in value) || ((Number.isInteger(value.output_tokens) && (!((Number.isFinite(value.output_tokens) || typeof value.output_tokens === "bigint")) || (value.output_tokens >= 0 && value.output_tokens <= 9007199254740991))) || value.output_tokens === null)))) && (value.cost_sats === undefined || (!("cost_sats" in value) || (Number.isFinite(value.cost_sats) || value.cost_sats === null)))) && (value.provider_cost_sats === undefined || (!("provider_cost_sats" in value) || (Number.isFinite(value.provider_cost_sats) || value.provider_cost_sats === null)))) && (value.error_status === undefined || (!("error_status" in value) || ((Number.isInteger(value.error_status) && (!((Number.isFinite(value.error_status) || typeof value.error_status === "bigint")) || (value.error_status >= -9007199254740991 && value.error_status <= 9007199254740991))) || value.error_status === null)))) && (value.error_message === undefined || (!("error_message" in value) || (typeof value.error_message === "string" || value.error_message === null)))) && (value.stream_duration_ms === undefined || (!("stream_duration_ms" in value) || ((Number.isFinite(value.stream_duration_ms) && (value.stream_duration_ms >= 0 && value.stream_duration_ms <= 9007199254740991)) || value.stream_duration_ms === null)))) && (value.success === undefined || (!("success" in value) || (typeof value.success === "boolean" || value.success === null)))))));; return check_0 })(),
  fields: {
    type: {
      isRequired: true,
      expected: "'stream_completed'",
      check: (() => { const check_0 = ((value) => (typeof value === "string" && value === "stream_completed"));; return check_0 })(),
    },
    correlation_id: {
      isRequired: true,
      expected: "a string without NUL",
      check: (() => { const External = [/^[^\u0000]*$/u]; const check_0 = ((value) => (typeof value === "string" && External[0].test(value)));; return check_0 })(),
    },
    attempt: {
      isRequired: false,
      expected: "an integer from 0 to 2^53 − 1 or null",
      check: (() => { const check_0 = ((value) => ((Number.isInteger(value) && (!((Number.isFinite(value) || typeof value === "bigint")) || (value >= 0 && value <= 9007199254740991))) || value === null));; return check_0 })(),
    },
    timestamp: {
      isRequired: false,
      expected: "a string or null",
      check: (() => { const check_0 = ((value) => (typeof value === "string" || value === null));; return check_0 })(),
    },
    input_tokens: {
      isRequired: false,
      expected: "an integer from 0 to 2^53 − 1 or null",
      check: (() => { const check_0 = ((value) => ((Number.isInteger(value) && (!((Number.isFinite(value) || typeof value === "bigint")) || (value >= 0 && value <= 9007199254740991))) || value === null));; return check_0 })(),
    },
    output_tokens: {
      isRequired: false,
      expected: "an integer from 0 to 2^53 − 1 or null",
      check: (() => { const check_0 = ((value) => ((Number.isInteger(value) && (!((Number.isFinite(value) || typeof value === "bigint")) || (value >= 0 && value <= 9007199254740991))) || value === null));; return check_0 })(),
    },
    cost_sats: {
      isRequired: false,
      expected: "a finite number or null",
      check: (() => { const check_0 = ((value) => (Number.isFinite(value) || value === null));; return check_0 })(),
    },
    provider_cost_sats: {
      isRequired: false,
      expected: "a finite number or null",
      check: (() => { const check_0 = ((value) => (Number.isFinite(value) || value === null));; return check_0 })(),
    },
    error_status: {
      isRequired: false,
      expected: "an integer within ±(2^53 − 1) or null",
      check: (() => { const check_0 = ((value) => ((Number.isInteger(value) && (!((Number.isFinite(value) || typeof value === "bigint")) || (value >= -9007199254740991 && value <= 9007199254740991))) || value === null));; return check_0 })(),
    },
    error_message: {
      isRequired: false,
      expected: "a string or null",
      check: (() => { const check_0 = ((value) => (typeof value === "string" || value === null));; return check_0 })(),
    },
    stream_duration_ms: {
      isRequired: false,
      expected: "a number from 0 to 2^53 − 1 or null",
      check: (() => { const check_0 = ((value) => ((Number.isFinite(value) && (value >= 0 && value <= 9007199254740991)) || value === null));; return check_0 })(),
    },
    success: {
      isRequired: false,
      expected: "true or false or null",
      check: (() => { const check_0 = ((value) => (typeof value === "boolean" || value === null));; return check_0 })(),
    },
  },
}
