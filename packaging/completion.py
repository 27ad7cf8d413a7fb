"""Prints the completion of `oido` for bash, made of its real parser.

    python packaging/completion.py > oido
    sudo install -m 644 oido /usr/share/bash-completion/completions/oido

Commands, options, choices and kinds of files are known when this runs. Models are looked up when the key is
pressed: to those that come with the program, the user's own are added. Needs bash 4 and nothing else.
"""

# ruff: noqa: INP001 - a script, in a folder of scripts

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from grammar import Argument, Grammar, read

from device.cli import parser
from device.hearing.models.loading import model_directories

SCRIPT = r"""# Completion of oido for bash, made by packaging/completion.py: change that, not this.

_oido_commands='@COMMANDS@'

# The options of a command, or, without one, of oido itself.
_oido_options() {
    case $1 in
@OPTIONS@
    esac
}

# What follows an option ($2) of a command ($1), or, without one, stands by itself: `choice WORD...`, `model`,
# `directory`, `file ENDING...` or `any`, with a `+` where several may follow; nothing where nothing does.
_oido_value() {
    case "$1 $2" in
@VALUES@
    esac
}

_oido_models() {
    local file
    echo @MODELS@
    for file in "${XDG_DATA_HOME:-$HOME/.local/share}"/oido/models/*.json; do
        if [[ -e $file ]]; then
            file=${file##*/}
            echo "${file%.json}"
        fi
    done
}

# Files that end in one of $2...; where there are none of those, any. Folders lead to more.
_oido_files() {
    local current=$1 ending path
    local -a all
    shift
    mapfile -t all < <(compgen -f -- "$current")
    for path in "${all[@]}"; do
        for ending; do
            if [[ -d $path || ${path,,} == *."$ending" ]]; then
                COMPREPLY+=("$path")
                break
            fi
        done
    done
    if ((${#COMPREPLY[@]} == 0)); then COMPREPLY=("${all[@]}"); fi
    # Quoting is the shell's; so is `~`, which finds nothing here. There is no shell to ask in a test.
    compopt -o filenames -o default 2> /dev/null || :
}

_oido_words() {
    mapfile -t COMPREPLY < <(compgen -W "$2" -- "$1")
}

_oido() {
    local current=${COMP_WORDS[COMP_CWORD]} command='' option='' several='' ended='' value word index
    COMPREPLY=()
    # `--mode=recall` comes as three words.
    if [[ $current == = ]]; then current=; fi
    for ((index = 1; index < COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        if [[ $word == = ]]; then
            continue
        elif [[ $word == -- ]]; then
            ended=1 option=
        elif [[ -z $ended && $word == -?* ]]; then
            option=$word
            value=$(_oido_value "$command" "$option")
            several=
            if [[ $value == +* ]]; then several=1; fi
            if [[ -z $value ]]; then option=; fi
        elif [[ -n $option ]]; then
            if [[ -z $several ]]; then option=; fi
        elif [[ -z $command ]]; then
            command=$word
        fi
    done
    if [[ -z $ended && $current == -* ]]; then
        _oido_words "$current" "$(_oido_options "$command")"
    elif [[ -z $command ]]; then
        _oido_words "$current" "$_oido_commands"
    else
        value=$(_oido_value "$command" "$option")
        value=${value#+}
        case $value in
            choice*) _oido_words "$current" "${value#choice}" ;;
            model) _oido_words "$current" "$(_oido_models)" ;;
            directory)
                mapfile -t COMPREPLY < <(compgen -d -- "$current")
                compopt -o filenames -o default 2> /dev/null || :
                ;;
            file*)
                # shellcheck disable=SC2086 # endings are words
                _oido_files "$current" ${value#file}
                ;;
            '') _oido_words "$current" "$(_oido_options "$command")" ;;
        esac
    fi
}

complete -F _oido oido
"""


def completion(program: Grammar, commands: Iterable[Grammar], models: Iterable[str]) -> str:
    """The script.

    Args:
        program: its own options.
        commands: each with its options and words.
        models: that come with the program.
    """
    commands = tuple(commands)
    options = [("''", _flags(program)), *((command.name, _flags(command)) for command in commands)]
    values = [
        (_pattern(command, argument), _value(argument))
        for command in commands
        for argument in command.arguments
        if argument.value
    ]
    parts = {
        "@COMMANDS@": " ".join(command.name for command in commands),
        "@OPTIONS@": _cases(options),
        "@VALUES@": _cases(values),
        "@MODELS@": " ".join(models),
    }
    script = SCRIPT
    for mark, text in parts.items():
        script = script.replace(mark, text)
    return script


def _cases(pairs: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"        {pattern}) echo '{text}' ;;" for pattern, text in pairs)


def _flags(grammar: Grammar) -> str:
    return " ".join(flag for option in grammar.options for flag in option.flags)


def _pattern(command: Grammar, argument: Argument) -> str:
    return " | ".join(f"'{command.name} {flag}'" for flag in argument.flags or ("",))


def _value(argument: Argument) -> str:
    words = {"choice": argument.choices, "file": argument.endings}.get(argument.kind, ())
    several = "+" if argument.many and argument.flags else ""
    return several + " ".join((argument.kind or "any", *words))


def bundled_models() -> Iterator[str]:
    """Names of the models that come with the program."""
    for path in sorted(model_directories()[-1].glob("*.json")):
        yield path.stem


if __name__ == "__main__":
    sys.stdout.write(completion(*read(parser()), bundled_models()))
