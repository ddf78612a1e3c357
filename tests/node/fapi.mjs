// FAPI 2.0 Security Profile by openid-client: private_key_jwt, a pushed request, PKCE, tokens bound by DPoP.
// Reads its settings from OPENID_CLIENT_CHECK; prints what it learned as JSON; any mismatch ends it with exit 1.
import assert from 'node:assert/strict'
import * as oidc from 'openid-client'
import { Browser } from './browser.mjs'

const settings = JSON.parse(process.env.OPENID_CLIENT_CHECK)
const { private_key: jwk } = settings
const key = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
const metadata = { id_token_signed_response_alg: 'ES256', use_mtls_endpoint_aliases: false }
const authentication = oidc.PrivateKeyJwt({ key, kid: jwk.kid })
const config = await oidc.discovery(new URL(settings.issuer), settings.client_id, metadata, authentication, {
  execute: [oidc.allowInsecureRequests],
})
oidc.enableNonRepudiationChecks(config)
const DPoP = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256'))
const verifier = oidc.randomPKCECodeVerifier()
const [state, nonce] = [oidc.randomState(), oidc.randomNonce()]
const parameters = {
  redirect_uri: settings.redirect_uri,
  scope: 'openid email offline_access',
  code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  state,
  nonce,
}

const pushed = await oidc.buildAuthorizationUrlWithPAR(config, parameters, { DPoP })
assert.deepEqual([...pushed.searchParams.keys()].sort(), ['client_id', 'request_uri'])
const browser = new Browser()
const page = await browser.load(pushed)
const { email, password } = settings
const answer = await browser.submit(page, 'login', { email, password })
assert.ok(answer.url.href.startsWith(settings.redirect_uri), answer.html)

const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true }
const tokens = await oidc.authorizationCodeGrant(config, answer.url, checks, undefined, { DPoP })
assert.equal(tokens.token_type, 'dpop')
const claims = tokens.claims()
const person = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub, { DPoP })

// A stolen token is worth nothing without its key: neither as a bearer token nor under another key.
const stolen = await fetch(config.serverMetadata().userinfo_endpoint, {
  headers: { authorization: `Bearer ${tokens.access_token}` },
})
assert.equal(stolen.status, 401)
const thief = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256'))
await assert.rejects(oidc.fetchUserInfo(config, tokens.access_token, claims.sub, { DPoP: thief }))

const refreshed = await oidc.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP })
assert.equal(refreshed.token_type, 'dpop')
await oidc.fetchUserInfo(config, refreshed.access_token, claims.sub, { DPoP })

// Without pushing there is no way in.
const plain = await browser.load(oidc.buildAuthorizationUrl(config, parameters))
assert.equal(plain.url.searchParams?.get('error') ?? plain.status, 'invalid_request')
console.log(JSON.stringify({ sub: claims.sub, email: person.email, token_type: tokens.token_type }))
