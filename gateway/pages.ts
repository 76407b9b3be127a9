/** The API described: `/openapi.json` for tools, `/docs` for people. Both are open to everybody, as the contracts are. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Place } from './front.ts'
import { openApiDocument, type DocumentSource } from './openapi/document.ts'
import { apiPage } from './openapi/page.ts'
import { entityTag, sendContent } from './send-content.ts'

/** The places of the description, which is written when it is first asked for. */
export function descriptionPlaces(source: DocumentSource): Map<string, Place> {
  const document = once(() => openApiDocument(source))
  return new Map([
    ['/openapi.json', page('application/json', () => JSON.stringify(document()))],
    // The style is part of the page; there is nothing else that it may load or run.
    [
      '/docs',
      page(
        'text/html; charset=utf-8',
        () => apiPage(document()),
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
      ),
    ],
  ])
}

function page(contentType: string, write: () => string, contentSecurityPolicy?: string): Place {
  const content = once(() => {
    const data = Buffer.from(write())
    return {
      data,
      headers: { etag: entityTag(data), 'content-type': contentType, 'cache-control': 'public, no-cache' },
    }
  })
  return {
    methods: ['GET', 'HEAD'],
    async answer(request: IncomingMessage, response: ServerResponse) {
      if (contentSecurityPolicy !== undefined) response.setHeader('content-security-policy', contentSecurityPolicy)
      const { data, headers } = content()
      await sendContent(request, response, headers, data)
    },
  }
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => (made ??= { value: make() }).value
}
