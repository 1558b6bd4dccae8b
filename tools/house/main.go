// Command house counts what grows without anybody deciding it: the size of types, functions and
// files, and the exported names of package pool.
//
//	go -C tools/house run . [-report] [ROOT]
//
// It reads the Go files, tests apart, of router, pool and internal below ROOT, which defaults to
// this repository. It prints a line for each thing that is too large, then a table of the packages,
// and exits with status 1 if there was such a line. With -report it prints the table alone.
//
// The fields and methods of embedded unexported structs of the package count as those of the type
// that embeds them. An exported name is one at top level or a method of an exported type; fields
// are not counted, and the constants of enumerations are counted apart. A statement is a node of
// go/ast's Stmt, blocks apart.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	report := flag.Bool("report", false, "print the table only")
	flag.Usage = func() {
		_, _ = fmt.Fprintln(flag.CommandLine.Output(), "usage: go -C tools/house run . [-report] [ROOT]")
		flag.PrintDefaults()
	}
	flag.Parse()
	root := "../.."
	if flag.NArg() > 0 {
		root = flag.Arg(0)
	}
	packages, err := readTree(root, "router", "pool", "internal")
	if err != nil {
		fmt.Fprintln(os.Stderr, "house:", err)
		os.Exit(2)
	}
	var findings []string
	if !*report {
		for _, p := range packages {
			findings = append(findings, p.findings()...)
		}
	}
	for _, f := range findings {
		fmt.Println(f)
	}
	if len(findings) > 0 {
		fmt.Println()
	}
	printTable(os.Stdout, packages)
	if len(findings) > 0 {
		os.Exit(1)
	}
}
