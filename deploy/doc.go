// Package deploy holds what operators of Spillway install: grafana.json, a dashboard to import into
// Grafana, and alerts.yaml, rules for Prometheus. It is a module of its own, so that the engine of
// Prometheus, which its tests evaluate every query with, is nobody else's dependency.
package deploy
