package elastic

import (
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/elastic/go-elasticsearch/v8/esapi"
)

// request makes what the node is asked, anew for every time it is sent. The body is nil if there is none.
//
// The library puts names into the path as they are, so they are escaped here.
type request func(body io.Reader) esapi.Request

// bulkRequest asks back only what leftOver reads; the rest is several times as long.
func bulkRequest(visible bool) request {
	return func(body io.Reader) esapi.Request {
		r := esapi.BulkRequest{
			Body: body, FilterPath: []string{"items.*.status", "items.*.error"}, Header: http.Header{"Content-Type": {"application/x-ndjson"}},
		}
		if visible {
			r.Refresh = "true"
		}
		return r
	}
}

// searchRequest asks one index, or, without one, the point in time that the body names.
func searchRequest(index string) request {
	return func(body io.Reader) esapi.Request {
		r := esapi.SearchRequest{Body: body, AllowPartialSearchResults: new(false)}
		if index != "" {
			r.Index = []string{url.PathEscape(index)}
		}
		return r
	}
}

func multiGetRequest(index string, source bool) request {
	return func(body io.Reader) esapi.Request {
		return esapi.MgetRequest{Index: url.PathEscape(index), Body: body, Source: []string{strconv.FormatBool(source)}}
	}
}

func getRequest(index, key string) request {
	return func(io.Reader) esapi.Request {
		return esapi.GetRequest{Index: url.PathEscape(index), DocumentID: url.PathEscape(key)}
	}
}

// putRequest writes a document unless it has changed since a revision; nil is that it was not there.
func putRequest(index, key string, since *revision) request {
	return func(body io.Reader) esapi.Request {
		r := esapi.IndexRequest{Index: url.PathEscape(index), DocumentID: url.PathEscape(key), Body: body}
		if since == nil {
			r.OpType = "create"
		} else {
			r.IfSeqNo, r.IfPrimaryTerm = &since.SeqNo, &since.PrimaryTerm
		}
		return r
	}
}

func openPointRequest(index string) request {
	return func(io.Reader) esapi.Request {
		return esapi.OpenPointInTimeRequest{Index: []string{url.PathEscape(index)}, KeepAlive: walkKept}
	}
}

func closePointRequest(body io.Reader) esapi.Request {
	return esapi.ClosePointInTimeRequest{Body: body}
}

func refreshRequest(index string) request {
	return func(io.Reader) esapi.Request {
		return esapi.IndicesRefreshRequest{Index: []string{url.PathEscape(index)}}
	}
}

// describeRequest asks for the indices behind those of the aliases that are there.
func describeRequest(aliases []string) request {
	return func(io.Reader) esapi.Request {
		return esapi.IndicesGetRequest{Index: aliases, IgnoreUnavailable: new(true), AllowNoIndices: new(true)}
	}
}

func createRequest(index string) request {
	return func(io.Reader) esapi.Request { return esapi.IndicesCreateRequest{Index: index} }
}

// readyRequest waits until an index can be used. Its status says no such thing: a new index without a shard is yellow, too.
func readyRequest(index string) request {
	return func(io.Reader) esapi.Request {
		return esapi.ClusterHealthRequest{Index: []string{index}, WaitForActiveShards: "1", Timeout: readyTimeout}
	}
}

func deleteIndexRequest(index string) request {
	return func(io.Reader) esapi.Request { return esapi.IndicesDeleteRequest{Index: []string{index}} }
}

func aliasesRequest(body io.Reader) esapi.Request {
	return esapi.IndicesUpdateAliasesRequest{Body: body}
}

func getTemplateRequest(name string) request {
	return func(io.Reader) esapi.Request { return esapi.IndicesGetIndexTemplateRequest{Name: name} }
}

func putTemplateRequest(name string) request {
	return func(body io.Reader) esapi.Request {
		return esapi.IndicesPutIndexTemplateRequest{Name: name, Body: body}
	}
}
