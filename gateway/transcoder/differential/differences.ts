/** Where we and grpc-gateway answer differently on purpose: each with the rule that we follow. */
import { isDeepStrictEqual } from 'node:util'
import type { Difference } from './exchange.ts'

export interface Explanation {
  readonly name: string
  /** What we do and why. */
  readonly rule: string
  explains(difference: Difference): boolean
}

/** Whether we refuse with such a message what they answer, or refuse otherwise. */
function weRefuse(pattern: RegExp): Explanation['explains'] {
  return ({ ours, theirs }) => ours.status === 400 && theirs.status !== 400 && pattern.test(ourMessage(ours.content))
}

/** Whether they refuse with such a message what we answer. */
function theyRefuse(pattern: RegExp): Explanation['explains'] {
  return ({ ours, theirs }) => ours.status === 200 && theirs.status >= 400 && pattern.test(theirMessage(theirs.content))
}

function ourMessage(content: unknown): string {
  return (content as { error?: { message?: string } } | null)?.error?.message ?? ''
}

function theirMessage(content: unknown): string {
  return (content as { message?: string } | null)?.message ?? ''
}

const percentInPath: Explanation = {
  name: 'percent in a path',
  rule: 'a variable of several segments is decoded except for %2F (http.proto); grpc-gateway decodes that too, and keeps other reserved characters encoded',
  explains: (difference) =>
    difference.request.rule.pieces.some((piece) => 'variable' in piece && piece.pattern !== '*') && isAlike(difference),
}

export const explanations: readonly Explanation[] = [
  {
    name: 'method',
    rule: 'a known path with another method is 405 with Allow (RFC 9110), not 501',
    explains: ({ ours, theirs }) => ours.status === 405 && theirs.status === 501,
  },
  {
    name: 'unknown parameter',
    rule: 'a query parameter that is no field of the request, or of a kind that http.proto does not map (maps, Struct), is refused by its name instead of ignored',
    explains: weRefuse(/there is no such field that a query can set$/),
  },
  {
    name: 'bound twice',
    rule: 'a query parameter for a field that path or body set is refused instead of ignored: the caller meant something by it',
    explains: weRefuse(/is set by the path or the body, not by the query$/),
  },
  {
    name: 'query beside body *',
    rule: 'with body "*" there are no query parameters (http.proto), so one is refused instead of ignored',
    explains: weRefuse(/belongs into the body, this call has no query$/),
  },
  {
    name: 'Go’s spelling',
    rule: 'text in path and query is the value’s proto3 JSON form; Go’s strconv and time also take 1, t and TRUE, +3, inf, nan, .5, 0x1p4, 1h',
    explains: weRefuse(/expected true or false$|is not an integer$|is not a number$|expected a duration in seconds/),
  },
  {
    name: 'integers with exponent',
    rule: '1.0 and 1e2 are integers in proto3 JSON wherever they stand; strconv.ParseInt takes neither in path and query',
    explains: theyRefuse(/strconv\.Parse(Int|Uint): parsing "[-+]?\d+(\.0+)?(e\d+)?": invalid syntax/),
  },
  {
    name: 'open enums',
    rule: 'enums of proto3 are open, so a number without a name is kept, in path and query as in the body',
    explains: theyRefuse(/-?\d+"? is not (a )?valid/),
  },
  {
    name: 'odd masks',
    rule: 'a mask that names no field is the service’s to refuse; grpc-gateway passes it on and then cannot write the answer (500)',
    explains: ({ theirs }) => theirs.status === 500 && /FieldMask\.paths contains/.test(theirMessage(theirs.content)),
  },
  {
    name: 'text after JSON',
    rule: 'a body with anything after its JSON value is refused; Go’s decoder reads the value and stops',
    explains: weRefuse(/^the body is not JSON/),
  },
  {
    name: 'null for a field',
    rule: 'a body that is null leaves its field absent, as null does everywhere in proto3 JSON; grpc-gateway refuses it',
    explains: ({ request, ours, theirs }) =>
      request.body === 'null' &&
      request.rule.body === 'nested' &&
      theyRefuse(/unexpected token null/)({ request, ours, theirs }),
  },
  {
    name: 'characters',
    rule: 'bytes that are no UTF-8 and half surrogate pairs are refused; grpc-gateway puts U+FFFD in their place or fails inside (500)',
    explains: weRefuse(/half a surrogate pair$|^the path is not percent-encoded UTF-8$/),
  },
  percentInPath,
  {
    name: 'path over body',
    rule: 'what the path binds replaces what the body says of that field, which is not looked at; grpc-gateway judges it first',
    explains: ({ request, ours, theirs }) =>
      request.rule.body === '*' &&
      theyRefuse(/invalid value for|invalid escape code|unexpected EOF/)({ request, ours, theirs }) &&
      request.rule.pieces.some((piece) => 'variable' in piece && request.body?.includes(`"${piece.variable}":`)),
  },
  {
    name: 'two names',
    rule: 'both names of a repeated field may occur in one query, and their values are joined; grpc-gateway refuses the second name',
    explains: theyRefuse(/^duplicate field/),
  },
  {
    name: 'no such path',
    rule: 'a path that fits no template is 404 even when it is not percent-encoded as it should be',
    explains: ({ ours, theirs }) => ours.status === 404 && theirs.content === '400 Bad Request',
  },
  {
    name: 'absence',
    rule: 'a response_body that is absent is the field’s JSON: null for a message, [] for a list, where grpc-gateway has {} and null',
    explains: ({ ours, theirs, request }) =>
      request.rule.responseBody !== '' &&
      ((ours.content === null && isDeepStrictEqual(theirs.content, {})) ||
        (isDeepStrictEqual(ours.content, []) && theirs.content === null)),
  },
  {
    name: 'empty segment before a verb',
    rule: '** takes empty segments as well, also the last one before a verb; grpc-gateway takes that one only without a verb',
    explains: ({ request, ours, theirs }) =>
      theirs.status === 404 &&
      ours.status !== 404 &&
      request.rule.custom !== undefined &&
      /\/:[^/]*$/.test(request.url.split('?')[0]!),
  },
  {
    name: 'no body',
    rule: 'a request without a body leaves its body field absent; grpc-gateway makes it an empty message',
    explains({ request, ours, theirs }) {
      if (request.body || request.rule.body !== 'nested' || ours.status !== 200) return false
      const filled = { ...ours, content: { nested: {}, ...(ours.content as object) } }
      // What is left may be a matter of the path.
      return (
        isDeepStrictEqual(filled.content, theirs.content) || percentInPath.explains({ request, ours: filled, theirs })
      )
    },
  },
  {
    name: 'mask into a Struct',
    rule: 'the keys of a Struct are no fields, so the mask of a PATCH names the Struct itself; grpc-gateway names its keys',
    explains: (difference) =>
      difference.request.rule.verb === 'patch' &&
      /"updateMask":"[^"]*struct\./.test(JSON.stringify(difference.theirs.content)) &&
      isAlike(difference),
  },
  {
    name: 'order of a mask',
    rule: 'the mask of a PATCH has its paths in the order of the body; grpc-gateway sorts them',
    explains: (difference) => difference.request.rule.verb === 'patch' && isAlike(difference),
  },
]

/** Whether both answer, and with the same but for how masks and reserved characters are written. */
function isAlike({ ours, theirs }: Difference): boolean {
  const areAnswers = ours.status === 200 && theirs.status === 200
  return areAnswers && isDeepStrictEqual(normal(ours.content), normal(theirs.content))
}

function normal(content: unknown): unknown {
  const text = JSON.stringify(content)
    .replace(/%(?:21|23|24|26|27|28|29|2A|2B|2C|2F|3A|3B|3D|3F|40|5B|5D)/gi, decodeURIComponent)
    .replace(/"updateMask":"([^"]*)"/g, (_, mask: string) => {
      const paths = mask.split(',').map((path) => path.replace(/^struct\..*/, 'struct'))
      return `"updateMask":"${[...new Set(paths)].toSorted().join()}"`
    })
  return JSON.parse(text)
}
