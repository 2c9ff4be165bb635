# The completion of keyward for PowerShell 5.1 and later, made by `make generate`.
# keyward completion powershell | Out-String | Invoke-Expression

Register-ArgumentCompleter -Native -CommandName keyward, vovsecurity, gen-root-cert, gen-intermediate-cert, gen-leaf-cert, websocket-test-client -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    # What can follow a command: its commands or the choices of its argument, and its flags.
    # --flag= takes a value, --flag=FILE a file, --flag=DIR a folder, --flag=a|b one of these.
    $tree = @{
{{- range .Commands}}
        {{psquote .Path}} = [ordered]@{
{{- range .Commands}}
            {{psquote (last .Path)}} = {{psquote .Usage}}
{{- end}}
{{- range choices .Args}}
            {{psquote .}} = {{psquote .}}
{{- end}}
{{- range .Flags}}{{$flag := .}}
{{- range .Names}}
            {{psquote (print (dashed .) (kind $flag))}} = {{psquote $flag.Usage}}
{{- end}}
{{- end}}
        }
{{- end}}
    }

    # A link named like one of the scripts is that command.
    $name = [IO.Path]::GetFileNameWithoutExtension($commandAst.GetCommandName())
    $path = 'keyward'
    if ($name -like 'gen-*') { $path = "keyward $name" }
    if ($name -eq 'websocket-test-client') { $path = 'keyward relay connect' }
    $previous = ''
    $behind = $true
    foreach ($element in $commandAst.CommandElements | Select-Object -Skip 1) {
        if ($element.Extent.EndOffset -ge $cursorPosition) { break }
        $previous = $element.Extent.Text
        if ($previous -ceq '--') { return }
        $behind = $tree.ContainsKey("$path $previous")
        if ($behind) { $path = "$path $previous" }
    }

    # A flag's value, as --flag value or --flag=value. Where nothing is offered PowerShell offers files.
    $typed = $wordToComplete
    $glued = ''
    if ($wordToComplete -match '^(-[^=]+)=(.*)$') {
        $previous = $Matches[1]
        $typed = $Matches[2]
        $glued = "$previous="
    }
    if ($previous.StartsWith('-')) {
        foreach ($word in $tree[$path].Keys) {
            $flag, $kind = $word -split '=', 2
            if ($null -eq $kind -or $flag.TrimStart('-') -cne $previous.TrimStart('-')) { continue }
            if ($kind.Contains('|')) {
                $kind -split '\|' | Where-Object { $_.StartsWith($typed) } | ForEach-Object {
                    [System.Management.Automation.CompletionResult]::new("$glued$_", $_, 'ParameterValue', $tree[$path][$word])
                }
            }
            return
        }
    }
    if ($glued) { return }

    # Commands and choices stand right behind the command, flags anywhere. Long flags may have one dash.
    foreach ($word in $tree[$path].Keys) {
        $flag = ($word -split '=', 2)[0]
        if ($flag.StartsWith('-')) {
            if ($wordToComplete -match '^-[^-]' -and $flag.StartsWith('--')) { $flag = $flag.Substring(1) }
        } elseif (-not $behind) { continue }
        if ($flag.StartsWith($wordToComplete)) {
            [System.Management.Automation.CompletionResult]::new($flag, $flag, 'ParameterName', $tree[$path][$word])
        }
    }
}
