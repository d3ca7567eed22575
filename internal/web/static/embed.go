// Package static holds the portal's files: one stylesheet, htmx with its SSE
// extension, two small scripts, the Inter font and the licences. All are built
// by `npm run build` in internal/web and committed, so `go build` needs no Node.
// It does not own the pages (package ui) or /brand.css, which the portal makes
// from the brand's settings.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed *.css *.js *.svg fonts/*.woff2 licenses/*.txt
var files embed.FS

// FS is the folder, for tests and tools.
func FS() fs.FS { return files }

var (
	once   sync.Once
	paths  map[string]string
	packed sync.Map // name → gzip of the file, made when it is first asked for
)

// Path gives the URL of a file with its fingerprint, so that a browser may keep
// it for a year and still sees a new build at once: "/static/app.css?v=1a2b3c4d5e6f".
// A name that does not exist gives the plain URL, which then answers 404.
func Path(name string) string {
	once.Do(func() {
		paths = map[string]string{}
		_ = fs.WalkDir(files, ".", func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := files.ReadFile(p)
			if err != nil {
				return err
			}
			sum := sha256.Sum256(b)
			paths[p] = fmt.Sprintf("/static/%s?v=%s", p, hex.EncodeToString(sum[:6]))
			return nil
		})
	})
	if p, ok := paths[name]; ok {
		return p
	}
	return "/static/" + name
}

// Handler serves the files below /static/, text with gzip where the browser takes
// it (the stylesheet shrinks to an eighth). A request with a fingerprint and every
// font may be cached for a year; anything else must be asked again.
func Handler() http.Handler {
	server := http.StripPrefix("/static/", http.FileServerFS(files))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") { // no directory listings
			http.NotFound(w, r)
			return
		}
		if r.URL.Query().Has("v") || strings.HasSuffix(r.URL.Path, ".woff2") {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			w.Header().Set("Cache-Control", "no-cache")
		}
		w.Header().Set("Vary", "Accept-Encoding")
		if b := gzipped(r); b != nil {
			w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(r.URL.Path)))
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(b) // #nosec G705 -- our own files, embedded at build time
			return
		}
		server.ServeHTTP(w, r)
	})
}

// gzipped gives the packed file if the browser takes it and packing helps, else nil.
func gzipped(r *http.Request) []byte {
	if r.Method != http.MethodGet || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		return nil
	}
	switch path.Ext(r.URL.Path) {
	case ".css", ".js", ".svg":
	default: // fonts are packed already
		return nil
	}
	name := strings.TrimPrefix(r.URL.Path, "/static/")
	if v, ok := packed.Load(name); ok {
		if b, ok := v.([]byte); ok {
			return b
		}
	}
	plain, err := files.ReadFile(name)
	if err != nil {
		return nil
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out) // the default level: 15 ms for the stylesheet, once
	if _, err := z.Write(plain); err != nil || z.Close() != nil {
		return nil
	}
	packed.Store(name, out.Bytes())
	return out.Bytes()
}
