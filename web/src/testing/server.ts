// A server that tests play: the real clients, with the calls answered here instead of over the network.
import { Code, ConnectError, createClient, createRouterTransport, type Client, type Interceptor, type ServiceImpl, type Transport } from '@connectrpc/connect';
import type { DescService } from '@bufbuild/protobuf';

/** A transport to a service of which only some calls are answered, each seen by the interceptors as a real one is. */
export function wayToFake<S extends DescService>(service: S, calls: Partial<ServiceImpl<S>>): (interceptors: Interceptor[]) => Transport {
  return (interceptors) => createRouterTransport(({ service: serve }) => serve(service, calls), { transport: { interceptors } });
}

export function fakeClient<S extends DescService>(service: S, calls: Partial<ServiceImpl<S>>): Client<S> {
  return createClient(service, wayToFake(service, calls)([]));
}

/** What a server answers that refuses. */
export function refusedWith(code: Code, reason = ''): ConnectError {
  const error = new ConnectError('no', code);
  if (reason) error.details.push({ type: 'google.rpc.ErrorInfo', value: packed(reason), debug: { reason } });
  return error;
}

/** Field 1 of ErrorInfo, as it goes over the wire. */
function packed(reason: string): Uint8Array {
  const text = new TextEncoder().encode(reason);
  return new Uint8Array([0x0a, text.length, ...text]);
}
