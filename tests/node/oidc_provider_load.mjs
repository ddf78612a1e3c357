// oidc-provider in memory, on loopback: the other side of tests/load. Reads its clients from LOAD as JSON; says `ready`,
// its issuer and the versions when it answers; runs until it is stopped.
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { Provider, errors } from 'oidc-provider'

const { clients } = JSON.parse(process.env.LOAD)
const manifest = new URL('package.json', import.meta.resolve('oidc-provider').replace(/lib\/.*$/, ''))
const { version } = JSON.parse(readFileSync(manifest))

const key = (kind, options, alg) => {
  const { privateKey } = generateKeyPairSync(kind, options)
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg, kid: alg }
}
const jwks = {
  keys: [
    key('rsa', { modulusLength: 2048 }, 'RS256'), key('ec', { namedCurve: 'P-256' }, 'ES256'), key('ed25519', {}, 'EdDSA'),
  ],
}

// The store that comes with oidc-provider forgets all but the last thousand.
const grants = new Map()
class Memory {
  rows = new Map()
  uids = new Map()

  async upsert(id, payload) {
    this.rows.set(id, payload)
    if (payload.uid) this.uids.set(payload.uid, id)
    if (payload.grantId) {
      const known = grants.get(payload.grantId)
      if (known) known.push([this, id])
      else grants.set(payload.grantId, [[this, id]])
    }
  }

  async find(id) { return this.rows.get(id) }
  async findByUid(uid) { return this.rows.get(this.uids.get(uid)) }
  async findByUserCode() {}
  async destroy(id) { this.rows.delete(id) }
  async consume(id) { this.rows.get(id).consumed = Math.floor(Date.now() / 1000) }

  async revokeByGrantId(grantId) {
    for (const [memory, id] of grants.get(grantId) ?? []) memory.rows.delete(id)
    grants.delete(grantId)
  }
}

const SCOPE = 'openid email offline_access'
const RESOURCE = /^https:\/\/(rs256|es256|eddsa)\.example\.com\/api$/
const algorithms = { rs256: 'RS256', es256: 'ES256', eddsa: 'EdDSA' }

const configuration = {
  adapter: Memory,
  clients,
  jwks,
  scopes: SCOPE.split(' '),
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  responseTypes: ['code'],
  cookies: { keys: ['only for a test'] },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA'] },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => false,
      getResourceServerInfo: (_, uri) => {
        const [, name] = RESOURCE.exec(uri) ?? []
        if (!name) throw new errors.InvalidTarget()
        return { scope: 'cases.read', accessTokenFormat: 'jwt', jwt: { sign: { alg: algorithms[name] } } }
      },
    },
  },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, id) => ({
    accountId: id, claims: () => ({ sub: id, email: 'alice@example.com', email_verified: false }),
  }),
  issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
  // As ours: replaced at every use.
  rotateRefreshToken: true,
  async loadExistingGrant(ctx) {
    const known = ctx.oidc.session.grantIdFor(ctx.oidc.client.clientId)
    if (known) return ctx.oidc.provider.Grant.find(known)
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId,
    })
    grant.addOIDCScope(SCOPE)
    grant.addOIDCClaims(['sub', 'email', 'email_verified'])
    await grant.save()
    return grant
  },
  ttl: {
    AccessToken: 600, AuthorizationCode: 60, ClientCredentials: 600, IdToken: 600, Interaction: 600, Session: 3600,
    Grant: 3600, RefreshToken: 2592000,
  },
}

// The issuer names the port, so the port comes first.
const server = createServer()
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  const provider = new Provider(issuer, configuration)
  provider.use(async (ctx, next) => {
    if (!ctx.path.startsWith('/interaction/')) return next()
    if (ctx.method === 'POST') {
      const result = { login: { accountId: 'alice' } }
      ctx.status = 303
      return ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result))
    }
    ctx.type = 'html'
    ctx.body = `<form action="${ctx.path}" method="post"><input name="password"><button name="do" value="login"></form>`
  })
  server.on('request', provider.callback())
  console.log(`ready ${issuer} oidc-provider ${version} on Node ${process.versions.node}`)
})
