package cmd_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"keyward/store/audit"
	"keyward/store/sqlstore"
)

// cmdFront puts a server before the registry, and sets KEYWARD_URL and KEYWARD_CA_FILE to it. Its certificate lives for
// life, its clock is off, and it tells another version: front [life=240h] [off=90s] [version=9.9.9].
func cmdFront(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: front [life=TIME] [off=TIME] [version=VERSION]")
	}
	life, off, version := 1000*24*time.Hour, time.Duration(0), ""
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		var err error
		switch name {
		case "life":
			life, err = time.ParseDuration(value)
		case "off":
			off, err = time.ParseDuration(value)
		case "version":
			version = value
		default:
			ts.Fatalf("front knows no %s", name)
		}
		ts.Check(err)
	}
	server := httptest.NewUnstartedServer(frontOf(ts, off, version))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(ts, life)}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	ts.Defer(server.Close)
	file := ts.MkAbs("front.pem")
	ts.Check(os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	ts.Setenv("KEYWARD_URL", server.URL)
	ts.Setenv("KEYWARD_CA_FILE", file)
}

// cmdNoted has the registry of a folder, which nobody serves, note an act in its audit log, that far from now: noted registry 1h.
func cmdNoted(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: noted FOLDER TIME")
	}
	ahead, err := time.ParseDuration(args[1])
	ts.Check(err)
	block, _ := pem.Decode([]byte(ts.ReadFile(args[0] + "/audit-key")))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	ts.Check(err)
	db, err := sqlstore.Open(context.Background(), ts.MkAbs(args[0]+"/registry.db"), audit.NewSigner(key.(ed25519.PrivateKey))) //nolint:forcetypeassert // serve made it
	ts.Check(err)
	ts.Check(db.Note(context.Background(), audit.Act{Time: time.Now().Add(ahead), What: audit.LoginRefused}))
	ts.Check(db.Close())
}

// frontOf passes requests on to the registry of KEYWARD_URL.
func frontOf(ts *testscript.TestScript, off time.Duration, version string) http.Handler {
	registry, err := url.Parse(ts.Getenv("KEYWARD_URL"))
	ts.Check(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(ts.ReadFile(ts.Getenv("KEYWARD_CA_FILE"))))
	return &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(registry) },
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
		ErrorLog:  log.New(io.Discard, "", 0),
		ModifyResponse: func(resp *http.Response) error {
			resp.Header.Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
			if version == "" || !strings.HasSuffix(resp.Request.URL.Path, "/version") {
				return nil
			}
			body, err := io.ReadAll(resp.Body)
			body = bytes.ReplaceAll(body, []byte("1.2.3"), []byte(version))
			resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			resp.Header.Del("Content-Length")
			return err
		},
	}
}
