/** Random methods with random `google.api.http` rules, all of one request and answer: the service echoes. */
import type { Random } from './random.ts'

/** One piece of a path, and the text that fits it. */
export type Piece = { literal: string } | { variable: string; pattern: string } | { pattern: string }

export interface Method {
  readonly name: string
  readonly verb: 'get' | 'put' | 'post' | 'delete' | 'patch'
  readonly pieces: readonly Piece[]
  /** After the last piece: `:verb`. */
  readonly custom: string | undefined
  readonly body: '' | '*' | 'nested' | 'text'
  readonly responseBody: '' | 'nested' | 'strings'
}

// What a path can bind, with nested ones.
const variables = [
  'text',
  'number',
  'long',
  'truth',
  'genre',
  'nested.text',
  'nested.number',
  'data',
  'nested.nested.text',
]

/** The rule's template. */
export function templateOf({ pieces, custom }: Pick<Method, 'pieces' | 'custom'>): string {
  const segments = pieces.map((piece) => {
    if ('literal' in piece) return piece.literal
    if (!('variable' in piece)) return piece.pattern
    return piece.pattern === '*' ? `{${piece.variable}}` : `{${piece.variable}=${piece.pattern}}`
  })
  return `/${segments.join('/')}${custom === undefined ? '' : `:${custom}`}`
}

/** `count` methods, each with a first segment of its own: which of several templates wins is no matter here. */
export function randomMethods(random: Random, count: number): Method[] {
  return random.times(count, (index) => {
    const verb = random.pick(['get', 'get', 'post', 'put', 'patch', 'delete'] as const)
    const hasBody = verb !== 'get' && verb !== 'delete'
    // What grpc-gateway generates for a PATCH whose body is no message does not compile.
    const bodies = ['', '*', '*', 'nested', 'nested', verb === 'patch' ? 'nested' : 'text'] as const
    const body = hasBody ? random.pick(bodies) : ''
    const taken = new Set<string>(body === '' || body === '*' ? [] : [body])
    return {
      name: `Method${index}`,
      verb,
      pieces: [{ literal: `m${index}` }, ...randomPieces(random, taken)],
      custom: random.chance(0.3) ? random.pick(['cancel', 'do-it', 'v1.run']) : undefined,
      body,
      responseBody: random.pick(['', '', '', 'nested', 'strings'] as const),
    }
  })
}

function randomPieces(random: Random, taken: Set<string>): Piece[] {
  const pieces: Piece[] = []
  const count = random.integer(0, 3)
  for (let at = 0; at < count; at++) {
    const free = variables.filter((name) => ![...taken].some((other) => overlap(name, other)))
    const isLast = at === count - 1
    const kind = random.integer(0, 9)
    if (kind < 3 || free.length === 0) pieces.push({ literal: random.pick(['books', 'shelves', 'a.b', 'x-y', '~z']) })
    else if (kind === 3) pieces.push({ pattern: '*' })
    else {
      const variable = random.pick(free)
      taken.add(variable)
      const isText = variable.endsWith('text')
      const pattern = isText
        ? random.pick(['*', '*', 'shelves/*', 'a/*/b/*', ...(isLast ? ['**', 'files/**'] : [])])
        : '*'
      pieces.push({ variable, pattern })
    }
  }
  return pieces
}

function overlap(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other}.`) || other.startsWith(`${one}.`)
}

/** The contract of these methods. */
export function protoOf(methods: readonly Method[]): string {
  const rpcs = methods.map((method) => {
    const lines = [`${method.verb}: "${templateOf(method)}"`]
    if (method.body !== '') lines.push(`body: "${method.body}"`)
    if (method.responseBody !== '') lines.push(`response_body: "${method.responseBody}"`)
    return `  rpc ${method.name}(Message) returns (Message) {
    option (google.api.http) = {
      ${lines.join('\n      ')}
    };
  }`
  })
  return `syntax = "proto3";
package differential.v1;

import "google/api/annotations.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

service Probe {
${rpcs.join('\n')}
}

enum Genre {
  GENRE_UNSPECIFIED = 0;
  GENRE_NOVEL = 1;
  GENRE_POETRY = 2;
}

message Message {
  string text = 1;
  int32 number = 2;
  int64 long = 3;
  bool truth = 4;
  double real = 5;
  bytes data = 6;
  Genre genre = 7;
  Message nested = 8;
  repeated string strings = 9;
  repeated int32 some_numbers = 10;
  google.protobuf.Timestamp create_time = 11;
  google.protobuf.Duration duration = 12;
  google.protobuf.FieldMask update_mask = 13;
  google.protobuf.StringValue wrapped_text = 14;
  google.protobuf.Int64Value wrapped_long = 15;
  google.protobuf.Struct struct = 16;
  map<string, string> labels = 17;
  optional int32 maybe = 18;
  oneof choice {
    string this_one = 19;
    int32 that_one = 20;
  }
  uint64 unsigned_long = 21;
  float single = 22;
  repeated Genre genres = 23;
}
`
}
