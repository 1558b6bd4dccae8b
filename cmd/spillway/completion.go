package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
)

const completionHelp = `Usage: spillway completion bash|zsh|fish

Completion prints a script with which a shell completes commands, flags, their
values and the names of files:

  bash  source <(spillway completion bash)                  in ~/.bashrc
  zsh   source <(spillway completion zsh)                   in ~/.zshrc, after compinit
  fish  spillway completion fish > ~/.config/fish/completions/spillway.fish

Models and subjects are not completed: that would ask a sidecar at every key.
`

// shells are those that have a script.
var shells = []struct {
	name   string
	script func(all []command) string
}{{"bash", bashScript}, {"zsh", zshScript}, {"fish", fishScript}}

// completion runs the command "completion".
func completion(_ context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("completion", flag.ContinueOnError)
	rest, status, ok := parse(flags, args, completionHelp, stdout, stderr)
	if !ok {
		return status
	}
	for _, shell := range shells {
		if len(rest) == 1 && rest[0] == shell.name {
			printText(stdout, shell.script(completed()))
			return statusOK
		}
	}
	return misused("completion", stderr, "it needs the name of a shell: bash, zsh or fish")
}

// completed returns the commands with help among them, which takes the name of one.
func completed() []command {
	all := commands()
	names := make([]string, len(all))
	for i, c := range all {
		names[i] = c.name
	}
	return append(all, command{
		name: "help", summary: "print the help of a command", help: "Usage: spillway help " + strings.Join(names, "|"),
	})
}

// places returns what stands where a command has no flag: one of some words, or a file.
func (g *grammar) places() (words []string, files bool) {
	for _, place := range g.args {
		words = append(words, choices(place)...)
		files = files || isFile(place)
	}
	return words, files
}

const bashHead = `# Completion of spillway in bash, made by "spillway completion bash".
_spillway() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words='' flags='' files='' value=''
	if ((COMP_CWORD == 1)); then
		COMPREPLY=($(compgen -W '%s' -- "$cur"))
		return
	fi
	case ${COMP_WORDS[1]} in
`

const bashTail = `	esac
	COMPREPLY=()
	if [[ -z $value && ($cur == -* || -z $words$files) ]]; then
		COMPREPLY=($(compgen -W "$flags" -- "$cur"))
	elif [[ $files ]]; then
		compopt -o default 2>/dev/null # the shell knows files best
	else
		COMPREPLY=($(compgen -W "$words" -- "$cur"))
	fi
}
complete -F _spillway spillway
`

func bashScript(all []command) string {
	var b strings.Builder
	var names []string
	for _, c := range all {
		names = append(names, c.name)
	}
	fmt.Fprintf(&b, bashHead, strings.Join(names, " "))
	for _, c := range all {
		g := grammarOf(c.help)
		words, files := g.places()
		fmt.Fprintf(&b, "\t%s)\n\t\tflags='%s' words='%s'%s\n", c.name, strings.Join(g.names(), " "), strings.Join(words, " "), onlyIf(files, " files=1"))
		b.WriteString("\t\tcase $prev in\n")
		for _, f := range g.flags {
			if f.value != "" {
				fmt.Fprintf(&b, "\t\t--%s) value=1 words='%s' files=%s ;;\n", f.name, strings.Join(choices(f.value), " "), onlyIf(isFile(f.value), "1"))
			}
		}
		b.WriteString("\t\tesac\n\t\t;;\n")
	}
	b.WriteString(bashTail)
	return b.String()
}

const zshHead = `#compdef spillway
# Completion of spillway in zsh, made by "spillway completion zsh".
_spillway() {
	local -a commands
	commands=(
`

const zshTail = `	esac
}
if [ "$funcstack[1]" = _spillway ]; then
	_spillway "$@"
else
	compdef _spillway spillway
fi
`

func zshScript(all []command) string {
	var b strings.Builder
	b.WriteString(zshHead)
	for _, c := range all {
		fmt.Fprintf(&b, "\t\t%s\n", quoted(c.name+":"+strings.ReplaceAll(c.summary, ":", `\:`), `'\''`))
	}
	b.WriteString("\t)\n\tif ((CURRENT == 2)); then\n\t\t_describe command commands\n\t\treturn\n\tfi\n" +
		"\tlocal command=$words[2]\n\tshift words\n\t((CURRENT--))\n\tcase $command in\n")
	for _, c := range all {
		g := grammarOf(c.help)
		fmt.Fprintf(&b, "\t%s) _arguments", c.name)
		for _, f := range g.flags {
			b.WriteString(" '--" + f.name + onlyIf(f.value != "", ":"+zshName(f.value)+":"+zshAction(f.value)) + "'")
		}
		for _, place := range g.args {
			b.WriteString(" '*:" + zshName(place) + ":" + zshAction(place) + "'")
			break // zsh takes one rule for all that follow
		}
		b.WriteString(" ;;\n")
	}
	b.WriteString(zshTail)
	return b.String()
}

// zshAction returns what zsh completes in a place.
func zshAction(place string) string {
	if words := choices(place); words != nil {
		return "(" + strings.Join(words, " ") + ")"
	}
	return onlyIf(isFile(place), "_files")
}

// zshName returns what zsh calls a place.
func zshName(place string) string {
	if choices(place) != nil {
		return "word"
	}
	return strings.ReplaceAll(place, ":", `\:`)
}

func fishScript(all []command) string {
	var b strings.Builder
	b.WriteString("# Completion of spillway in fish, made by \"spillway completion fish\".\ncomplete -c spillway -f\n")
	for _, c := range all {
		fmt.Fprintf(&b, "complete -c spillway -n __fish_use_subcommand -a %s -d %s\n", c.name, quoted(c.summary, `\'`))
	}
	for _, c := range all {
		g := grammarOf(c.help)
		of := "complete -c spillway -n '__fish_seen_subcommand_from " + c.name + "'"
		for _, f := range g.flags {
			b.WriteString(of + " -l " + f.name)
			switch words := choices(f.value); {
			case words != nil:
				b.WriteString(" -x -a '" + strings.Join(words, " ") + "'")
			case isFile(f.value):
				b.WriteString(" -r -F")
			case f.value != "":
				b.WriteString(" -x")
			}
			b.WriteByte('\n')
		}
		words, files := g.places()
		if len(words) > 0 {
			b.WriteString(of + " -a '" + strings.Join(words, " ") + "'\n")
		}
		if files {
			b.WriteString(of + " -F\n")
		}
	}
	return b.String()
}

// quoted puts a text in single quotes, in which quote stands for one.
func quoted(text, quote string) string { return "'" + strings.ReplaceAll(text, "'", quote) + "'" }

func onlyIf(ok bool, text string) string {
	if !ok {
		return ""
	}
	return text
}
