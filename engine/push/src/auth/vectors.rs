//! Public keys, and tokens that OpenSSL has signed: another implementation than the one under test. All say
//! `{"sub":"reader","exp":4102444800,"subscribe":["news/#"],"publish":"rooms/7"}`; 4102444800 is the year 2100.

pub(super) const HS256_SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(super) const HS256: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJyZWFkZXIiLCJleHAiOjQxMDI0NDQ4MDAsInN1YnNjc\
    mliZSI6WyJuZXdzLyMiXSwicHVibGlzaCI6InJvb21zLzcifQ.drr736sXYdPciYo4gGI0QBAQ-vsgPVNfrl7L4zYd\
    Vo8";
pub(super) const RS256: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJyZWFkZXIiLCJleHAiOjQxMDI0NDQ4MDAsInN1YnNjc\
    mliZSI6WyJuZXdzLyMiXSwicHVibGlzaCI6InJvb21zLzcifQ.iBH92DYKkncLccJ7aNdBvJRLIKsDJ3BxhKjqHe0p\
    ar1-zmxDLJTGfYUuHak1v3l34-1cYxtkXfRLJcMzyw8pvhO9z4UMd3tpbQGzFpYMIJACpAjzASHpVPDN6AyBSSVgjN\
    Z4QyEPAIvekf23c64MchEIScvjeE9VRR5ASsOobh8WcJTRNbAROHTauh1YJugd-WOEGPSnQ_nd_ZadcrHR7PStLahK\
    a7c1JvXxvS3bJodo-w0rxvic6-HSTFHGgRRjG2DcE0_FBqwAGIArcwWO93-5mUw_5Dr4YEpDDphwCkvExQuuMzK5u6\
    bPaaIvvE-RoZjFDPWaAsv2CshZQlhaYg";
pub(super) const EDDSA: &str = "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJyZWFkZXIiLCJleHAiOjQxMDI0NDQ4MDAsInN1YnNjc\
    mliZSI6WyJuZXdzLyMiXSwicHVibGlzaCI6InJvb21zLzcifQ.tLvlTEbUle1yFeQbvmphXVcK4-Nh7ZCgkutIscQs\
    twYrGeNJ_I7tX91VzFIQcdncKX9n-EnQlHDfb25rScEDCw";
pub(super) const RSA_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAq8dB3W/hNuWbp79vbMay\n\
7+VSNbcJIp9aeWQUm/eN2ZkUbYNVpU8h2hqECoJCxapo5fNsjHVczuaIkksg5lgB\n\
khoMC6SxE8S87s1UiV2Le5CbqgX3F1bweW3fkbqpTVOyqnn0/OEAiGOsZcC+xFiC\n\
iemHbi35ROwc/XVBy8lepUDetz3w1WRMxxmCZ4+TNCzigF1l5ZMfBSt60BGWhYMz\n\
w+7xU3Xxi184f8mRisH6vGgG1vLDMjR1kbgqFukh3Ak4whbdTFSf8xNYndYdyl6M\n\
t/G5y/jcGR2OMyJj7irU5hMj/eMYitBx9gkdtDmXoT5gSfJ7nbxhKq4RJL0xrt7k\n\
fQIDAQAB\n\
-----END PUBLIC KEY-----\n\
";
pub(super) const ED_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
MCowBQYDK2VwAyEAKQBZLSRVuoT16f3cZod3QuvNeZYpiyN2A4GAbH9Ctmw=\n\
-----END PUBLIC KEY-----\n\
";
/// The attack on servers that let the token choose: HS256 with the public RSA key for a secret.
pub(super) const HS256_BY_RSA_PUBLIC: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJyZWFkZXIiLCJleHAiOjQxMDI0NDQ4MDAsInN1YnNjc\
    mliZSI6WyJuZXdzLyMiXSwicHVibGlzaCI6InJvb21zLzcifQ.5XRttKcfAQ1engY70EzII_2eVP5L4vrp2ABHVh3s\
    8KY";
/// And the one that signs nothing.
pub(super) const NONE: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJyZWFkZXIiLCJleHAiOjQxMDI0NDQ4MDAsInN1YnNjcm\
    liZSI6WyJuZXdzLyMiXSwicHVibGlzaCI6InJvb21zLzcifQ.";
