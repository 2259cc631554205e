/* The connection phase: greeting, TLS, mysql_native_password and caching_sha2_password. */
#include "fake_internal.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include "base/cursor.h"
#include "base/err.h"
#include "binlog/packet.h"

#define CLIENT_CONNECT_WITH_DB    0x8u
#define CLIENT_PLUGIN_AUTH        0x80000u
#define CLIENT_PLUGIN_AUTH_LENENC 0x200000u
#define SERVER_CAPS               0x0039a20du
#define SSL_REQUEST_LEN           32

struct login {
    char user[64];
    char plugin[64];
    uint8_t auth[512];
    size_t auth_len;
};

static void digest(const EVP_MD *md, const void *a, size_t a_len, const void *b, size_t b_len, uint8_t *out)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    lt_assert(ctx && EVP_DigestInit_ex(ctx, md, NULL) == 1 && EVP_DigestUpdate(ctx, a, a_len) == 1 &&
              EVP_DigestUpdate(ctx, b, b_len) == 1 && EVP_DigestFinal_ex(ctx, out, NULL) == 1);
    EVP_MD_CTX_free(ctx);
}

/* native: H(pw) ^ H(salt, H(H(pw))); sha2: H(pw) ^ H(H(H(pw)), salt). */
static size_t expected_answer(bool native, const char *password, const uint8_t salt[20], uint8_t out[32])
{
    const EVP_MD *md = native ? EVP_sha1() : EVP_sha256();
    size_t n = native ? 20 : 32;
    uint8_t once[32];
    uint8_t twice[32];
    uint8_t mixed[32];
    if (!*password)
        return 0;
    digest(md, password, strlen(password), "", 0, once);
    digest(md, once, n, "", 0, twice);
    if (native)
        digest(md, salt, 20, twice, n, mixed);
    else
        digest(md, twice, n, salt, 20, mixed);
    for (size_t i = 0; i < n; i++)
        out[i] = once[i] ^ mixed[i];
    return n;
}

static const char *plugin_name(const struct fake_conn *cn)
{
    return cn->fp->opt.auth == FAKE_AUTH_NATIVE ? "mysql_native_password" : "caching_sha2_password";
}

static void send_greeting(struct fake_conn *cn, bool hide_tls)
{
    struct fake_primary *fp = cn->fp;
    uint8_t buf[256];
    static const uint8_t zeros[10];
    struct writer w = writer_on(buf, sizeof buf);
    const char *plugin = plugin_name(cn);
    uint32_t caps = SERVER_CAPS | (fp->tls && !hide_tls ? PACKET_CLIENT_SSL : 0);
    lt_assert(RAND_bytes(cn->salt, sizeof cn->salt) == 1);
    for (size_t i = 0; i < sizeof cn->salt; i++)
        cn->salt[i] = (uint8_t)('A' + cn->salt[i] % 26); /* no NUL, no '$' */
    writer_u8(&w, 10);
    writer_bytes(&w, fp->opt.version, strlen(fp->opt.version) + 1);
    writer_u32(&w, cn->number);
    writer_bytes(&w, cn->salt, 8);
    writer_u8(&w, 0);
    writer_u16(&w, (uint16_t)caps);
    writer_u8(&w, 45);
    writer_u16(&w, 2);
    writer_u16(&w, (uint16_t)(caps >> 16));
    writer_u8(&w, 21);
    writer_bytes(&w, zeros, sizeof zeros);
    writer_bytes(&w, cn->salt + 8, 12);
    writer_u8(&w, 0);
    writer_bytes(&w, plugin, strlen(plugin) + 1);
    cn->io.seq = 0;
    fake_packet_whole(&cn->io, buf, w.len);
}

static void take_string(struct cursor *c, char *out, size_t cap)
{
    size_t n = 0;
    uint8_t b;
    while ((b = cursor_u8(c)) != 0 && cursor_ok(c))
        if (n + 1 < cap)
            out[n++] = (char)b;
    out[n] = '\0';
}

static bool parse_response(struct fake_conn *cn, const uint8_t *buf, size_t len, struct login *ret)
{
    struct cursor c = cursor_on(buf, len);
    cn->client_caps = cursor_u32(&c);
    (void)cursor_bytes(&c, 4 + 1 + 23);
    take_string(&c, ret->user, sizeof ret->user);
    size_t n = cn->client_caps & CLIENT_PLUGIN_AUTH_LENENC ? (size_t)cursor_lenenc(&c) : cursor_u8(&c);
    const uint8_t *auth = cursor_bytes(&c, n);
    if (!auth || n > sizeof ret->auth)
        return false;
    memcpy(ret->auth, auth, n);
    ret->auth_len = n;
    char db[64];
    if (cn->client_caps & CLIENT_CONNECT_WITH_DB && c.left)
        take_string(&c, db, sizeof db);
    if (cn->client_caps & CLIENT_PLUGIN_AUTH && c.left)
        take_string(&c, ret->plugin, sizeof ret->plugin);
    return cursor_ok(&c);
}

/* The client answered for another plugin: ask it to take ours. */
static bool switch_plugin(struct fake_conn *cn, struct login *login)
{
    uint8_t buf[128];
    struct writer w = writer_on(buf, sizeof buf);
    const char *plugin = plugin_name(cn);
    if (strcmp(login->plugin, plugin) == 0)
        return true;
    writer_u8(&w, 0xfe);
    writer_bytes(&w, plugin, strlen(plugin) + 1);
    writer_bytes(&w, cn->salt, sizeof cn->salt);
    writer_u8(&w, 0);
    fake_packet_whole(&cn->io, buf, w.len);
    long n = fake_io_read(cn, login->auth, sizeof login->auth);
    login->auth_len = n < 0 ? 0 : (size_t)n;
    return n >= 0;
}

/* Answer to our public key: password and NUL, XORed with the salt, RSA-OAEP. Zero-terminated into out. */
static bool decrypt_password(EVP_PKEY *key, const struct fake_conn *cn, const uint8_t *data, size_t len,
                             uint8_t out[256])
{
    size_t n = 256;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    bool ok = ctx && EVP_PKEY_decrypt_init(ctx) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
              EVP_PKEY_decrypt(ctx, out, &n, data, len) == 1;
    EVP_PKEY_CTX_free(ctx);
    for (size_t i = 0; ok && i < n; i++)
        out[i] ^= cn->salt[i % sizeof cn->salt];
    return ok && n > 0 && out[n - 1] == 0;
}

/* The client asked for our key: send it, take the encrypted password. */
static bool exchange_by_rsa(struct fake_conn *cn, struct login *login)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem = NULL;
    lt_assert(key && bio && PEM_write_bio_PUBKEY(bio, key) == 1);
    long n = BIO_get_mem_data(bio, &pem);
    fake_packet_begin(&cn->io, (uint64_t)n + 1);
    fake_packet_add(&cn->io, "\1", 1);
    fake_packet_add(&cn->io, pem, (size_t)n);
    n = fake_io_read(cn, login->auth, sizeof login->auth);
    uint8_t text[256];
    bool ok = n > 0 && decrypt_password(key, cn, login->auth, (size_t)n, text) &&
              strcmp((const char *)text, cn->fp->opt.password) == 0;
    BIO_free(bio);
    EVP_PKEY_free(key);
    return ok;
}

/* caching_sha2_password as if the server had no cached answer: in clear inside TLS, else by RSA. */
static bool check_full(struct fake_conn *cn, struct login *login)
{
    const char *password = cn->fp->opt.password;
    fake_packet_whole(&cn->io, "\1\4", 2);
    long n = fake_io_read(cn, login->auth, sizeof login->auth);
    if (!cn->io.ssl && n == 1 && login->auth[0] == 2)
        return exchange_by_rsa(cn, login);
    bool same = n == (long)strlen(password) + 1 && memcmp(login->auth, password, (size_t)n) == 0;
    if (same && !cn->io.ssl) {
        fake_lock(cn->fp);
        cn->fp->counters.clear_passwords++;
        fake_unlock(cn->fp);
    }
    return same && cn->io.ssl; /* real servers refuse one in clear text too */
}

static bool check_password(struct fake_conn *cn, struct login *login)
{
    const struct fake_options *opt = &cn->fp->opt;
    uint8_t want[32];
    if (opt->auth == FAKE_AUTH_SHA2_FULL && *opt->password)
        return check_full(cn, login);
    size_t n = expected_answer(opt->auth == FAKE_AUTH_NATIVE, opt->password, cn->salt, want);
    if (n == 0)
        return login->auth_len == 0 || (login->auth_len == 1 && login->auth[0] == 0);
    if (login->auth_len != n || memcmp(login->auth, want, n) != 0)
        return false;
    if (opt->auth == FAKE_AUTH_SHA2_FAST)
        fake_packet_whole(&cn->io, "\1\3", 2);
    return true;
}

static void find_rule(struct fake_conn *cn, struct fake_login_rule *ret)
{
    struct fake_primary *fp = cn->fp;
    fake_lock(fp);
    for (size_t i = fp->login_count; i-- > 0;) {
        const struct fake_login_rule *r = &fp->logins[i];
        if (cn->number > r->after && (r->times == 0 || cn->number <= r->after + r->times)) {
            *ret = *r;
            break;
        }
    }
    fake_unlock(fp);
}

static const char *denial_text(uint16_t err)
{
    switch (err) {
    case 1040:
        return "Too many connections";
    case 1045:
        return "Access denied for user 'repl'@'localhost' (using password: YES)";
    case 1129:
        return "Host 'localhost' is blocked because of many connection errors; unblock with 'mysqladmin flush-hosts'";
    case 1130:
        return "Host 'localhost' is not allowed to connect to this server";
    default:
        return "Refused";
    }
}

static void deny(struct fake_conn *cn, uint16_t err)
{
    fake_send_err(&cn->io, err, denial_text(err));
    (void)fake_io_flush(&cn->io);
    fake_lock(cn->fp);
    cn->fp->counters.denied++;
    fake_notify(cn->fp);
    fake_unlock(cn->fp);
}

/* Until the client goes away or the server stops. */
static void say_nothing(struct fake_conn *cn)
{
    uint8_t buf[512];
    while (fake_io_read(cn, buf, sizeof buf) >= 0)
        ;
}

static bool start_tls_if_asked(struct fake_conn *cn, uint8_t *buf, size_t cap, long *len)
{
    if (*len != SSL_REQUEST_LEN || !(load_u32(buf) & PACKET_CLIENT_SSL))
        return true;
    if (!cn->fp->tls || !fake_io_start_tls(&cn->io, cn->fp->tls))
        return false;
    fake_lock(cn->fp);
    cn->fp->counters.tls++;
    fake_unlock(cn->fp);
    *len = fake_io_read(cn, buf, cap);
    return *len >= 0;
}

bool fake_login(struct fake_conn *cn)
{
    struct fake_login_rule rule = {0};
    struct login login = {0};
    uint8_t buf[4096];
    find_rule(cn, &rule);
    for (unsigned ms = 0; ms < rule.delay_ms && !atomic_load(&cn->stop); ms += 10)
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    if (rule.silent)
        say_nothing(cn);
    if (rule.silent || rule.close)
        return false;
    if (rule.err == 1040 || rule.err == 1129 || rule.err == 1130) {
        deny(cn, rule.err);
        return false;
    }
    send_greeting(cn, rule.hide_tls);
    long len = fake_io_read(cn, buf, sizeof buf);
    if (len < 0 || !start_tls_if_asked(cn, buf, sizeof buf, &len))
        return false;
    if (!parse_response(cn, buf, (size_t)len, &login) || !switch_plugin(cn, &login))
        return false;
    bool ok = strcmp(login.user, cn->fp->opt.user) == 0 && check_password(cn, &login);
    if (rule.err || !ok) {
        deny(cn, rule.err ? rule.err : 1045);
        return false;
    }
    fake_send_ok(&cn->io);
    fake_lock(cn->fp);
    cn->fp->counters.logins++;
    fake_unlock(cn->fp);
    return fake_io_flush(&cn->io);
}
