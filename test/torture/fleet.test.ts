import { FAULTS_OF_FLEETS } from './faults.js'
import { testShortRounds } from './short-rounds.js'

testShortRounds(FAULTS_OF_FLEETS)
