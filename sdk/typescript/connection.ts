/** How the SDK reaches FlowForge over gRPC. */
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { credentials, experimental, type ChannelCredentials, type ChannelOptions } from '@grpc/grpc-js'

/** Where the certificates are: a folder with `ca.pem`, `certificate.pem` and `key.pem`, or the PEM texts themselves. */
export type Tls = ({ folder: string } | { ca: string; certificate: string; key: string }) & {
  /** The name the server's certificate must carry; the host of the address, if unset. */
  serverName?: string
}

/** Whom to call. Without `tls` the connection is plaintext: for a mesh whose proxy encrypts. */
export interface ConnectionOptions {
  /** `host:port` of the service. */
  address: string
  tls?: Tls
}

/** What a grpc-js client constructor takes. */
export interface Connection {
  address: string
  credentials: ChannelCredentials
  options: ChannelOptions
}

const refreshIntervalMs = 10_000
const receivedBytesMax = 32 * 1024 * 1024

/**
 * Prepares a connection to FlowForge.
 *
 * Certificates from a folder are read again when a connection is made, so renewing them needs no restart.
 * Throws at once, naming the file, when one of them can't be read.
 */
export function connection({ address, tls }: ConnectionOptions): Connection {
  return { address, credentials: channelCredentials(tls), options: channelOptions(tls) }
}

function channelCredentials(tls: Tls | undefined): ChannelCredentials {
  if (!tls) return credentials.createInsecure()
  if (!('folder' in tls))
    return credentials.createSsl(Buffer.from(tls.ca), Buffer.from(tls.key), Buffer.from(tls.certificate))
  const [ca, certificate, key] = ['ca.pem', 'certificate.pem', 'key.pem'].map((file) =>
    readable(join(tls.folder, file)),
  )
  const files = new experimental.FileWatcherCertificateProvider({
    caCertificateFile: ca,
    certificateFile: certificate,
    privateKeyFile: key,
    refreshIntervalMs,
  })
  return experimental.createCertificateProviderChannelCredentials(files, files)
}

/** The file; throws at once, naming it, when it can't be read. */
export function readable(file: string): string {
  // The provider answers a missing file with a connection that never comes up; say it here, with the name.
  accessSync(file, constants.R_OK)
  return file
}

function channelOptions(tls: Tls | undefined): ChannelOptions {
  return {
    // Who calls decides about retries; two layers that retry would multiply.
    'grpc.enable_retries': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.enable_channelz': 0,
    'grpc.max_receive_message_length': receivedBytesMax,
    'grpc.max_send_message_length': -1,
    ...(tls?.serverName && {
      'grpc.ssl_target_name_override': tls.serverName,
      'grpc.default_authority': tls.serverName,
    }),
  }
}
