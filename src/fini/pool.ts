/* A separate module, so that the bundle can load undici when the first request needs it. */
export { DecoratorHandler, EnvHttpProxyAgent, Pool } from 'undici';
