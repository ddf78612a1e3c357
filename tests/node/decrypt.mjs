// Decrypts a JWE with jose, given the private key it was made for. Prints its header and what was in it.
import { compactDecrypt, importPKCS8 } from 'jose'

const { jwe, pkcs8, alg } = JSON.parse(process.env.DECRYPT)
const { plaintext, protectedHeader } = await compactDecrypt(jwe, await importPKCS8(pkcs8, alg))
console.log(JSON.stringify({ header: protectedHeader, plain: new TextDecoder().decode(plaintext) }))
