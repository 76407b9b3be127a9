/** The API as one page to read: no script, nothing from elsewhere. Written from the OpenAPI document. */
import type { OpenApi, Operation } from './document.ts'
import { everyRequest, requestHeaders } from './headers.ts'
import { pageStyle } from './page-style.ts'
import type { Schema } from './schemas.ts'

type Body = { content: Record<string, { schema: Schema; example?: unknown }>; description?: string }

/** Writes the page. */
export function apiPage(document: OpenApi): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )
  const sections = document.tags.map(({ name, description }) => {
    const own = operations.filter(({ operation }) => (operation['tags'] as string[]).includes(name))
    const list = own.map(({ path, method, operation }) => operationHtml(document, path, method, operation)).join('\n')
    return { name, html: `<section id="${name}"><h2>${words(name)}</h2>${prose(description)}${list}</section>`, own }
  })
  const navigation = sections
    .map(({ name, own }) => {
      const links = own.map(
        ({ operation }) =>
          `<li><a href="#${operation.operationId}">${escape(operation.operationId.split('_')[1]!)}</a></li>`,
      )
      return `<li><a href="#${name}">${words(name)}</a><ul>${links.join('')}</ul></li>`
    })
    .join('')
  const schemas = Object.entries(document.components.schemas).map(
    ([name, schema]) => `<article id="schema-${name}"><h3>${escape(name)}</h3>${schemaHtml(schema)}</article>`,
  )
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(String(document.info['title']))} API</title>
<style>${pageStyle}</style>
</head>
<body>
<nav><strong>${escape(String(document.info['title']))} API</strong><ul>${navigation}<li><a href="#headers">Headers</a></li><li><a href="#schemas">Schemas</a></li></ul></nav>
<main>
<header><h1>${escape(String(document.info['title']))} API</h1>${prose(String(document.info['description']))}
${prose('Every call needs an API key: `Authorization: Bearer KEY`. The same as a document for tools: ')}<p><a href="/openapi.json">/openapi.json</a></p></header>
${sections.map(({ html }) => html).join('\n')}
<section id="headers"><h2>Headers</h2>
<h3>Of every request</h3><dl>${everyRequest.map((name) => parameterHtml(requestHeaders[name])).join('')}</dl>
<h3>Of answers</h3><dl>${Object.entries(document.components.headers)
    .map(([name, header]) => parameterHtml({ name, ...header }))
    .join('')}</dl></section>
<section id="schemas"><h2>Schemas</h2>${schemas.join('\n')}</section>
</main>
</body>
</html>
`
}

function operationHtml(document: OpenApi, path: string, method: string, operation: Operation): string {
  const body = operation['requestBody'] as Body | undefined
  const answer = (operation['responses'] as Record<string, Body>)['200']!
  const parameters = operation.parameters.map((parameter) => resolve(document, parameter)).filter(isOwn)
  return `<article id="${operation.operationId}">
<h3>${escape(operation.operationId.split('_')[1]!)}</h3>
<p class="line"><b class="${method}">${method.toUpperCase()}</b> <code>${escape(path).replaceAll(/\{\w+\}/g, '<i>$&</i>')}</code></p>
${prose(operation.description)}
${parameters.length === 0 ? '' : `<h4>Parameters</h4><dl>${parameters.map(parameterHtml).join('')}</dl>`}
${body === undefined ? '' : `<h4>Body</h4>${contentHtml(body)}`}
<h4>Answer</h4>${prose(answer.description ?? '')}${contentHtml(answer)}
<details><summary>curl</summary><pre>${escape(curl(path, method, body))}</pre></details>
</article>`
}

function resolve(document: OpenApi, parameter: Schema): Schema {
  const name = /^#\/components\/parameters\/(.*)$/.exec(String(parameter['$ref']))?.[1]
  return name === undefined ? parameter : (document.components.parameters[name] as Schema)
}

/** Whether not every request takes it. */
function isOwn(parameter: Schema): boolean {
  return everyRequest.every((name) => requestHeaders[name] !== parameter)
}

function parameterHtml(parameter: Schema): string {
  const notes = [
    textOf(parameter['in']),
    typeHtml(parameter['schema'] as Schema),
    ...(parameter['required'] === true ? ['required'] : []),
  ].filter((note) => note !== '')
  return `<dt><code>${escape(String(parameter['name']))}</code> <small>${notes.join(', ')}</small></dt><dd>${prose(textOf(parameter['description']))}</dd>`
}

function contentHtml({ content }: Body): string {
  return Object.entries(content)
    .map(([type, { schema, example }]) => {
      const text = typeof example === 'string' ? example : JSON.stringify(example, null, 2)
      return `<p><code>${escape(type)}</code>: ${typeHtml(schema)}</p>${example === undefined ? '' : `<pre>${escape(text)}</pre>`}`
    })
    .join('')
}

function schemaHtml(schema: Schema): string {
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>)
  const rows = properties.map(([name, property]) => {
    const notes = [typeHtml(property), ...(property['readOnly'] === true ? ['set by the server'] : [])]
    return `<dt><code>${escape(name)}</code> <small>${notes.join(', ')}</small></dt><dd>${prose(textOf(property['description']))}</dd>`
  })
  const values = (schema['enum'] as string[] | undefined)?.map((value) => `<code>${escape(value)}</code>`).join(' ')
  return `${prose(textOf(schema['description']))}${values === undefined ? '' : `<p>${values}</p>`}${rows.length === 0 ? '' : `<dl>${rows.join('')}</dl>`}`
}

/** What a value is, in a word or two, with a link to what has a name. */
function typeHtml(schema: Schema): string {
  if (typeof schema['$ref'] === 'string') {
    const name = schema['$ref'].split('/').at(-1)!
    return `<a href="#schema-${name}">${escape(name)}</a>`
  }
  const choices = (schema['allOf'] ?? schema['oneOf']) as Schema[] | undefined
  if (choices !== undefined) return typeHtml(choices[0]!)
  if (schema['type'] === 'array') return `list of ${typeHtml(schema['items'] as Schema)}`
  const entries = schema['additionalProperties']
  if (schema['type'] === 'object' && typeof entries === 'object') return `map of ${typeHtml(entries as Schema)}`
  return escape(textOf(schema['format']) || textOf(schema['type']) || 'any JSON')
}

function curl(path: string, method: string, body: Body | undefined): string {
  const url = `$FLOWFORGE_URL${path.replaceAll('{project}', 'default')}`
  const example = body?.content['application/json']?.example
  return [
    `curl ${method === 'get' ? '' : `-X ${method.toUpperCase()} `}"${url}" -H "Authorization: Bearer $FLOWFORGE_API_KEY"`,
    ...(example === undefined ? [] : [`-H 'Content-Type: application/json' -d '${JSON.stringify(example)}'`]),
  ].join(' \\\n  ')
}

/** Comments are plain text with `code` and lists. */
function prose(text: string): string {
  return text
    .split('\n\n')
    .filter((paragraph) => paragraph !== '')
    .map((paragraph) => {
      const html = escape(paragraph).replaceAll(/`([^`]+)`/g, '<code>$1</code>')
      if (!html.startsWith('- ')) return `<p>${html}</p>`
      return `<ul>${html
        .split('\n')
        .map((line) => `<li>${line.slice(2)}</li>`)
        .join('')}</ul>`
    })
    .join('')
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** `TaskService` as `Task service`. */
function words(name: string): string {
  return escape(name.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`))
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
