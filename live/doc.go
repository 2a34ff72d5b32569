// Package live brings the news: a hub that never blocks whoever publishes, and the websocket on top of it. It knows topics, keys
// and JSON objects, and nothing of orders.
package live
