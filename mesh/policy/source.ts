/** From an element of a contract to the line where it is declared. */
import type { DescMethod, DescService } from '@bufbuild/protobuf'
import type { SourceLine } from './policy.ts'

/** Field numbers of `google/protobuf/descriptor.proto`, which make up the paths of source locations. */
const fileService = 6
const serviceMethod = 2
const serviceOptions = 3
const methodOptions = 4

/** The line of a method, or of one field of one of its options. */
export function methodLine(method: DescMethod, option?: number, field?: number): SourceLine {
  const path = [...servicePath(method.parent), serviceMethod, method.parent.methods.indexOf(method)]
  if (option !== undefined) path.push(methodOptions, option)
  if (field !== undefined) path.push(field)
  return lineOf(method.parent, path)
}

/** The line of a service, or of one field of one of its options. */
export function serviceLine(service: DescService, option?: number, field?: number): SourceLine {
  const path = servicePath(service)
  if (option !== undefined) path.push(serviceOptions, option)
  if (field !== undefined) path.push(field)
  return lineOf(service, path)
}

function servicePath(service: DescService): number[] {
  return [fileService, service.file.services.indexOf(service)]
}

/** The most precise location known: compilers record an option's fields or only the option. */
function lineOf(service: DescService, path: number[]): SourceLine {
  const locations = service.file.proto.sourceCodeInfo?.location ?? []
  const file = `${service.file.name}.proto`
  for (let length = path.length; length >= 2; length--) {
    const wanted = path.slice(0, length).join()
    const found = locations.find((location) => location.path.join() === wanted)
    if (found) return { file, line: (found.span[0] ?? 0) + 1 }
  }
  return { file, line: 0 }
}
