import { FAULTS_IN_PROCESS } from './faults.js'
import { testShortRounds } from './short-rounds.js'

testShortRounds(FAULTS_IN_PROCESS)
