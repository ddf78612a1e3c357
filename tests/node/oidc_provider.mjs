// oidc-provider, configured as like ours as can be, in memory, on loopback: the other side of the differential test.
// Reads its clients from DIFFERENTIAL as JSON; says `ready` and its issuer when it answers; runs until it is stopped.
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import { Provider, errors } from 'oidc-provider'

const { clients } = JSON.parse(process.env.DIFFERENTIAL)

const person = {
  sub: 'alice', name: 'Alice Meadow', email: 'alice@example.com', email_verified: false,
  phone_number: '+12025550142', phone_number_verified: false, address: { country: 'United States' },
}

const key = (kind, options, alg) => {
  const { privateKey } = generateKeyPairSync(kind, options)
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg, kid: alg }
}
const jwks = {
  keys: [
    key('rsa', { modulusLength: 2048 }, 'RS256'), key('rsa', { modulusLength: 2048 }, 'PS256'),
    key('ec', { namedCurve: 'P-256' }, 'ES256'), key('ed25519', {}, 'EdDSA'),
  ],
}

const RESOURCE = 'https://cases.example.com/api'
const SCOPE = 'openid profile email address phone offline_access'
const isPublic = (client) => client.clientAuthMethod === 'none' || client.tokenEndpointAuthMethod === 'none'
const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA']

const configuration = {
  clients,
  jwks,
  scopes: SCOPE.split(' '),
  claims: {
    openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'], address: ['address'],
    phone: ['phone_number', 'phone_number_verified'],
  },
  acrValues: ['urn:countersign:acr:password'],
  responseTypes: ['code', 'id_token', 'id_token token', 'code id_token', 'code token', 'code id_token token'],
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'none'],
  subjectTypes: ['public'],
  pkce: { required: (_, client) => isPublic(client) },
  allowOmittingSingleRegisteredRedirectUri: false,
  enableHttpPostMethods: true,
  cookies: { keys: ['only for a test'], long: { sameSite: 'none' }, short: { sameSite: 'none' } },
  enabledJWA: {
    idTokenSigningAlgValues: algorithms, userinfoSigningAlgValues: algorithms, dPoPSigningAlgValues: algorithms,
    requestObjectSigningAlgValues: algorithms, authorizationSigningAlgValues: algorithms,
    introspectionSigningAlgValues: algorithms, clientAuthSigningAlgValues: [...algorithms, 'HS256'],
  },
  features: {
    devInteractions: { enabled: false },
    claimsParameter: { enabled: true },
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: {
      enabled: true,
      allowedPolicy: (_, client, token) => !isPublic(client) && token.clientId === client.clientId,
    },
    jwtIntrospection: { enabled: true },
    jwtResponseModes: { enabled: true },
    jwtUserinfo: { enabled: true },
    registration: { enabled: true },
    registrationManagement: { enabled: true },
    requestObjects: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => false,
      getResourceServerInfo: (_, uri) => {
        if (uri !== RESOURCE) throw new errors.InvalidTarget()
        return { scope: 'cases.read cases.write api', accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } }
      },
    },
    revocation: { enabled: true },
  },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ ...person, sub: id }) }),
  issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
  // Every client is the operator's own: nobody is asked for consent.
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId,
    })
    grant.addOIDCScope(SCOPE)
    grant.addOIDCClaims(Object.keys(person))
    grant.addResourceScope(RESOURCE, 'cases.read cases.write api')
    await grant.save()
    return grant
  },
  ttl: { AccessToken: 600, AuthorizationCode: 60, IdToken: 600, Interaction: 600, Session: 3600, Grant: 3600 },
}

// The issuer names the port, so the port comes first.
const server = createServer()
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  const provider = new Provider(issuer, configuration)
  provider.use(async (ctx, next) => {
    if (!ctx.path.startsWith('/interaction/')) return next()
    const { prompt } = await provider.interactionDetails(ctx.req, ctx.res)
    if (ctx.method === 'POST') {
      const result = { login: { accountId: 'alice' } }
      ctx.status = 303
      return ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result))
    }
    const [field, button] = prompt.name === 'consent' ? ['scope', 'allow'] : ['password', 'login']
    ctx.type = 'html'
    ctx.body = `<form action="${ctx.path}" method="post"><input name="${field}"><button name="do" value="${button}"></form>`
  })
  server.on('request', provider.callback())
  console.log(`ready ${issuer}`)
})
