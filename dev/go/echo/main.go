// A backend for examples and tests: answers what it was asked, as JSON.
//
// ?delay=300ms waits, ?status=503 answers so; ECHO_NAME is its name; TLS_CERT and TLS_KEY turn TLS on.
package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

func main() {
	var count atomic.Int64
	name := os.Getenv("ECHO_NAME")
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 16<<20))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		query := r.URL.Query()
		if delay, err := time.ParseDuration(query.Get("delay")); err == nil {
			select {
			case <-time.After(delay):
			case <-r.Context().Done():
				return
			}
		}
		status := http.StatusOK
		if code, err := strconv.Atoi(query.Get("status")); err == nil && code >= 200 && code < 600 {
			status = code
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]any{
			"name": name, "method": r.Method, "path": r.URL.Path, "query": r.URL.RawQuery, "host": r.Host,
			"headers": r.Header, "bytes": len(body), "count": count.Add(1), "tls": r.TLS != nil,
		})
	})
	address := os.Getenv("LISTEN")
	if address == "" {
		address = ":8080"
	}
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	if cert := os.Getenv("TLS_CERT"); cert != "" {
		log.Fatal(server.ListenAndServeTLS(cert, os.Getenv("TLS_KEY")))
	}
	log.Fatal(server.ListenAndServe())
}
