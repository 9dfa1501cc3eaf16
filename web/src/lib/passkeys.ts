// Passkeys: WebAuthn's objects from the server's JSON and back (Web Authentication Level 3, section 5.1).
import type { Account } from '../gen/majlis/auth/v1/account_pb.ts';
import type { Api } from './api.ts';

type Json = Record<string, unknown>;

/** True when this browser, at this address, can hold passkeys. */
export function passkeysWork(): boolean {
  return isSecureContext && 'PublicKeyCredential' in window && !/^\d+\.\d+\.\d+\.\d+$|^\[/.test(location.hostname);
}

/** True when the person closed the browser's dialogue, or let it time out. */
export function cancelled(error: unknown): boolean {
  return error instanceof DOMException && (error.name === 'NotAllowedError' || error.name === 'AbortError');
}

/** Signs in with a passkey the person chooses. */
export async function signInWithPasskey(signIns: Api['signIns']): Promise<Account | undefined> {
  const { challengeId, optionsJson } = await signIns.startPasskeySignIn({});
  const options = inner(optionsJson);
  const credential = (await navigator.credentials.get({
    publicKey: { ...options, challenge: bytes(options['challenge']), allowCredentials: described(options['allowCredentials']) } as PublicKeyCredentialRequestOptions,
  })) as PublicKeyCredential;
  const answer = credential.response as AuthenticatorAssertionResponse;
  const { account } = await signIns.finishPasskeySignIn({
    challengeId,
    credentialJson: packed(credential, {
      clientDataJSON: text(answer.clientDataJSON),
      authenticatorData: text(answer.authenticatorData),
      signature: text(answer.signature),
      userHandle: answer.userHandle ? text(answer.userHandle) : undefined,
    }),
  });
  return account;
}

/** Adds a passkey of this device to the account. */
export async function addPasskey(accounts: Api['accounts'], label: string): Promise<Account | undefined> {
  const { challengeId, optionsJson } = await accounts.startPasskeyRegistration({});
  const options = inner(optionsJson);
  const user = options['user'] as Json;
  const credential = (await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: bytes(options['challenge']),
      user: { ...user, id: bytes(user['id']) },
      excludeCredentials: described(options['excludeCredentials']),
    } as unknown as PublicKeyCredentialCreationOptions,
  })) as PublicKeyCredential;
  const answer = credential.response as AuthenticatorAttestationResponse;
  const { account } = await accounts.finishPasskeyRegistration({
    challengeId,
    label,
    credentialJson: packed(credential, {
      clientDataJSON: text(answer.clientDataJSON),
      attestationObject: text(answer.attestationObject),
      transports: answer.getTransports?.() ?? [],
    }),
  });
  return account;
}

/** Some servers wrap the options in `publicKey`, as the browser's call does. */
function inner(optionsJson: string): Json {
  const options = JSON.parse(optionsJson) as Json;
  return (options['publicKey'] as Json | undefined) ?? options;
}

function described(list: unknown): PublicKeyCredentialDescriptor[] {
  return ((list as Json[] | undefined) ?? []).map((entry) => ({ ...entry, id: bytes(entry['id']) }) as unknown as PublicKeyCredentialDescriptor);
}

function packed(credential: PublicKeyCredential, response: Json): string {
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
    clientExtensionResults: credential.getClientExtensionResults(),
    response,
  });
}

function bytes(base64url: unknown): Uint8Array {
  const plain = atob(String(base64url).replace(/-/g, '+').replace(/_/g, '/'));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

function text(buffer: ArrayBuffer): string {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

/** A short name of this device, for the person's list of passkeys. */
export function deviceLabel(): string {
  const agent = navigator.userAgent;
  const system = /iPhone|iPad|Android|Windows|Mac OS|CrOS|Linux/.exec(agent)?.[0] ?? '';
  const browser = /Edg|OPR|Firefox|Chrome|Safari/.exec(agent)?.[0]?.replace('Edg', 'Edge').replace('OPR', 'Opera') ?? '';
  return [browser, system].filter(Boolean).join(' · ').slice(0, 60);
}
