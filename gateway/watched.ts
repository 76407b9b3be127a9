import type { DescMethod } from '@bufbuild/protobuf'
import type { ResumeFields } from './transcoder/transcoder.ts'

/** How a stream that follows one resource is taken up again: by the resource's etag, where the request takes one. */
export function watchedFields({ input, output }: DescMethod): ResumeFields | undefined {
  if (!input.fields.some(({ name }) => name === 'etag')) return undefined
  const resource = output.fields.find(({ message }) => message?.fields.some(({ name }) => name === 'etag'))
  return resource && { id: `${resource.name}.etag`, last: 'etag' }
}
